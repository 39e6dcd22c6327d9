package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SweepCommandTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String SMALL = " -- --epochs 1 --num-layers 1 --num-hidden 8 --threads 1";

  @TempDir private Path folder;

  @Test
  void aFailedRunIsNamedAndTheOthersAreFinishedAndKept() throws IOException {
    Path foreign = Files.createDirectories(out().resolve("lr=1e-3/seed-1")).resolve("config.json");
    Files.writeString(foreign, "mine");
    String options = "--grid lr=1e-3,2e-3 --jobs 2 --json" + SMALL + " --validation 0.2";
    CommandLineRunner first = sweep(options);
    assertThat(first.exitCode()).isEqualTo(1);
    assertThat(first.err())
        .contains("lr=1e-3, seed 1: failed: the folder " + foreign.getParent() + " holds a config.json that no run has left")
        .contains("layerwise: 1 of 2 runs failed").doesNotContain("\tat ");
    assertThat(first.events().stream().map(event -> event.get("event").asText()))
        .containsExactlyInAnyOrder("failed", "epoch", "run", "table");
    assertThat(first.lastEvent().get("failed").get(0).asText()).startsWith("lr=1e-3, seed 1: the folder");
    Path model = out().resolve("lr=2e-3/seed-1/model.safetensors");
    Object written = Files.getLastModifiedTime(model);

    Files.delete(foreign);
    CommandLineRunner second = sweep(options);
    assertThat(second.exitCode()).as(second.err()).isZero();
    assertThat(second.err()).contains("lr=2e-3, seed 1: already finished");
    assertThat(Files.getLastModifiedTime(model)).isEqualTo(written);
    JsonNode table = JSON.readTree(out().resolve("table.json").toFile());
    assertThat(table.get("sorted_by").asText()).isEqualTo("validation");
    List<Double> errors = new ArrayList<>();
    table.get("rows").forEach(row -> errors.add(row.get("validation_mean").asDouble()));
    assertThat(errors).hasSize(2).isSorted();
    for (JsonNode row : table.get("rows")) {
      Path run = out().resolve(row.get("folder").asText()).resolve("seed-1");
      JsonNode config = JSON.readTree(run.resolve("config.json").toFile());
      assertThat(config.at("/training/lr").asText()).isEqualTo(Double.toString(row.at("/settings/lr").asDouble()));
      JsonNode epoch = JSON.readTree(Files.readString(run.resolve("metrics.jsonl")));
      assertThat(row.get("test_mean").asDouble()).isEqualTo(epoch.get("test_error").asDouble());
      assertThat(row.get("validation_mean").asDouble()).isEqualTo(epoch.get("validation_error").asDouble());
    }
    assertThat(out().resolve("table.md")).content().contains("| lr | validation error % | test error % |");

    CommandLineRunner other = sweep(options.replace("num-hidden 8", "num-hidden 9"));
    assertThat(other.exitCode()).isEqualTo(2);
    assertThat(other.err()).contains("another configuration", "num_hidden from 8 to 9", "another --out");
  }

  /** As a terminal does, Ctrl-C goes to the sweep and to its run; both come to a clean end. */
  @Test
  void controlCStopsTheRunAndTheSameCommandContinues() throws Exception {
    String options = "--grid beta=0.5 -- --epochs 300 --num-layers 1 --num-hidden 8 --threads 1";
    Process process =
        new ProcessBuilder(command(options)).redirectError(folder.resolve("err").toFile()).start();
    Path metrics = out().resolve("beta=0.5/seed-1/metrics.jsonl");
    try (BufferedReader lines =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      assertThat(lines.readLine()).contains("\"event\":\"epoch\"", "\"settings\":{\"beta\":\"0.5\"}");
      List<String> pids = new ArrayList<>(List.of("kill", "-INT", Long.toString(process.pid())));
      process.descendants().forEach(child -> pids.add(Long.toString(child.pid())));
      assertThat(pids).hasSizeGreaterThan(3);
      new ProcessBuilder(pids).start().waitFor();
      assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
    }
    assertThat(process.exitValue()).isEqualTo(130);
    assertThat(folder.resolve("err")).content().contains("Run the same command again to continue");
    int done = Files.readAllLines(metrics).size();
    assertThat(out().resolve("beta=0.5/seed-1/checkpoint.safetensors")).exists();
    CommandLineRunner resumed = sweep("--json " + options);
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(resumed.err()).contains("beta=0.5, seed 1: continuing in");
    assertThat(resumed.events().get(0).get("epoch").asInt()).as("it went on where it was stopped").isEqualTo(done + 1);
  }

  private List<String> command(String options) {
    List<Object> words = new ArrayList<>(List.of("sweep", "--json", "--out", out()));
    words.addAll(List.of(options.split(" ")));
    return JavaProcess.command(words.toArray());
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "                                        | sweep needs --grid or --random",
    "--grid lr                               | --grid lr is not of the form NAME=VALUES",
    "--grid lr=1e-3,-1                       | lr=-1: --lr must be positive",
    "--grid lr=1e-3,fast                     | lr=fast: Invalid value for option '--lr'",
    "--grid learning=1                       | 'train' has no option --learning, which is to be swept",
    "--grid bio=1                            | --bio takes no value; sweep it as bio=true,false",
    "--grid loss=pred,sim -- --dim-in-decoder 64 | loss=sim: --dim-in-decoder is about local classifiers",
    "--grid seed=1,2                         | seed=1: --seed is not for the runs of a sweep; give --seeds",
    "--grid lr=1e-3 -- --time-limit 3s       | --time-limit is not for the runs of a sweep",
    "--grid lr=1e-3 -- --nonsense            | lr=1e-3: Unknown option: '--nonsense'",
    "--grid lr=1e-3 -- extra                 | lr=1e-3: Unmatched argument",
    "--grid lr=1e-3 --samples 3              | --samples goes with --random",
    "--random lr=log:0:1                     | --random lr=log:0:1 must begin above 0",
    "--grid lr=1e-3 --jobs 0                 | --jobs must be in 1",
    "--grid backprop=true,false -- --backprop | backprop=true and backprop=false train the same",
    "--grid lr=0:9999:1 --grid beta=0:9999:1 | there are more than 100000 combinations; give fewer values",
    "--grid device=cpu,tpu                   | device=tpu: there is no device 'tpu'",
    "--grid lr=1e-3 -- --resume x            | --resume is not for the runs of a sweep",
  })
  void everyCombinationIsJudgedBeforeTheFirstRun(String options, String message) {
    CommandLineRunner run = sweep(options == null ? "" : options);
    assertThat(run.exitCode()).as(run.err()).isEqualTo(2);
    assertThat(run.err()).contains(message).doesNotContain("\tat ", "internal error");
    assertThat(out()).doesNotExist();
  }

  @Test
  void dataThatIsMissingIsToldBeforeTheFirstRun() {
    CommandLineRunner run = sweep("--grid lr=1e-3 -- --dataset cifar-10 --model mlp --data-dir " + folder);
    assertThat(run.exitCode()).isEqualTo(1);
    assertThat(run.err()).contains("CIFAR-10");
    assertThat(out()).doesNotExist();
  }

  private Path out() {
    return folder.resolve("out");
  }

  private CommandLineRunner sweep(String options) {
    return CommandLineRunner.line("sweep --out " + out() + " " + options);
  }
}
