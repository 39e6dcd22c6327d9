package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.layerwise.run.RunDirectory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunsCommandTest {
  @TempDir private Path folder;

  @BeforeEach
  void train() throws IOException {
    String small = "train --num-layers 1 --num-hidden 16 --threads 1 --epochs ";
    CommandLineRunner.succeed(small + "2 --loss pred --out " + folder.resolve("b"));
    CommandLineRunner.succeed(small + "1 --backprop --validation 0.1 --out " + folder.resolve("sets/of/a"));
    Path stopped = folder.resolve("c,d");
    CommandLineRunner.succeed(small + "3 --loss sim --out " + stopped);
    List<String> epochs = Files.readAllLines(stopped.resolve("metrics.jsonl"));
    Files.write(stopped.resolve("metrics.jsonl"), epochs.subList(0, 1));
  }

  @Test
  void theTableHasAllRuns() {
    CommandLineRunner run = CommandLineRunner.succeed("runs " + folder);
    List<String> lines = run.out().lines().toList();
    assertThat(lines.get(0)).matches("name +state +dataset +model +loss +epochs +best % +last % +validation % +time +date");
    assertThat(lines.get(1)).matches("b +finished +digits +mlp +pred +2 +\\d+\\.\\d\\d +\\d+\\.\\d\\d +– .*");
    assertThat(lines.get(2)).matches("c,d +stopped at epoch 1 of 3 +digits +mlp +sim +3 .*");
    assertThat(lines.get(3)).matches("sets/of/a +finished +digits +mlp +backprop +1( +\\d+\\.\\d\\d){3} .* s +20.*");
    assertThat(lines).hasSize(4);
  }

  @Test
  void aColumnSortsAndRunsWithoutAValueComeLast() {
    assertThat(names("--sort epochs --reverse")).containsExactly("c,d", "b", "sets/of/a");
    assertThat(names("--sort loss")).containsExactly("sets/of/a", "b", "c,d");
    assertThat(names("--sort validation").get(0)).isEqualTo("sets/of/a");
    assertThat(names("--sort VALIDATION --reverse").get(0)).isEqualTo("sets/of/a");
  }

  private List<String> names(String options) {
    return CommandLineRunner.succeed("runs " + folder + " --json " + options).events().stream()
        .map(event -> event.get("name").asText())
        .toList();
  }

  @Test
  void jsonAndCsvHaveTheNumbers() throws IOException {
    JsonNode run = CommandLineRunner.succeed("runs " + folder + " --json").events().get(1);
    assertThat(run.get("event").asText()).isEqualTo("run");
    assertThat(run.get("state").asText()).isEqualTo("stopped");
    assertThat(run.get("epoch").asInt()).isEqualTo(1);
    assertThat(run.get("epochs").asInt()).isEqualTo(3);
    assertThat(run.get("validation_error").isNull()).isTrue();
    List<String> csv = CommandLineRunner.succeed("runs " + folder + " --csv").out().lines().toList();
    assertThat(csv.get(0)).startsWith("name,state,dataset,model,loss,epoch,epochs,best_test_error,last_test_error,");
    assertThat(csv.get(2)).startsWith("\"c,d\",stopped,digits,mlp,sim,1,3," + run.get("best_test_error").asText() + ",");
  }

  @Test
  void aRunAtWorkIsRunning() {
    try (RunDirectory directory = RunDirectory.open(folder.resolve("c,d"))) {
      assertThat(CommandLineRunner.succeed("runs " + directory.path()).out()).containsPattern("c,d +running at epoch 1 of 3");
    }
    assertThat(CommandLineRunner.succeed("runs " + folder).out()).doesNotContain("running");
  }

  @Test
  void aDamagedRunIsNamedAndLeftOut() throws IOException {
    Files.writeString(folder.resolve("b/metrics.jsonl"), "{\"epoch\": 1}\n");
    CommandLineRunner run = CommandLineRunner.succeed("runs " + folder);
    assertThat(run.err()).contains(folder.resolve("b/metrics.jsonl") + " is damaged", "the run is left out");
    assertThat(run.out()).contains("c,d", "sets/of/a").doesNotContain("\nb ");
  }

  @Test
  void wrongUsageIsOneSentence() {
    CommandLineRunner unknown = CommandLineRunner.line("runs " + folder + " --sort size");
    assertThat(unknown.exitCode()).isEqualTo(2);
    assertThat(unknown.err()).contains("--sort: unknown value 'size'; choose from name, state");
    CommandLineRunner missing = CommandLineRunner.line("runs " + folder.resolve("nowhere"));
    assertThat(missing.exitCode()).isEqualTo(1);
    assertThat(missing.err()).contains("there is no folder");
    assertThat(CommandLineRunner.line("runs " + folder + " --csv --json").exitCode()).isEqualTo(2);
  }
}
