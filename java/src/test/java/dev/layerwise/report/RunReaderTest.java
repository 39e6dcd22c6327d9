package dev.layerwise.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.LayerwiseException;
import dev.layerwise.run.RunConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RunReaderTest {
  private static final RunConfig CONFIG = RunFolders.config("mnist-mlp-pred");

  @TempDir private Path folder;

  @Test
  void readsWhatWasWritten() {
    Path path = RunFolders.write(folder.resolve("run"), CONFIG, RunFolders.epochs(3, 2));
    Run run = RunReader.read(List.of(path)).runs().get(0);
    assertThat(run.epochs()).isEqualTo(RunFolders.epochs(3, 2));
    assertThat(run.name()).isEqualTo("run");
    assertThat(run.remark()).isNull();
    assertThat(run.evaluation()).isNull();
    assertThat(run.setting("training", "batch_size")).isEqualTo("128");
  }

  @ParameterizedTest
  @ValueSource(strings = {"{\"epoch\":4,\"epochs\":", "{\"epoch\":4}", "{", "\"", "12"})
  void halfALastLineIsLeftOut(String half) throws IOException {
    Path path = RunFolders.write(folder.resolve("run"), CONFIG, RunFolders.epochs(3, 2));
    Files.writeString(path.resolve("metrics.jsonl"), half, StandardOpenOption.APPEND);
    Run run = RunReader.read(List.of(path)).runs().get(0);
    assertThat(run.epochs()).isEqualTo(RunFolders.epochs(3, 2));
    assertThat(run.remark()).contains("last line of metrics.jsonl is cut short");
  }

  @Test
  void damageInTheMiddleIsAnError() throws IOException {
    Path path = RunFolders.write(folder.resolve("run"), CONFIG, RunFolders.epochs(3, 2));
    Path metrics = path.resolve("metrics.jsonl");
    List<String> lines = Files.readAllLines(metrics);
    Files.write(metrics, List.of(lines.get(0), lines.get(1).substring(20), lines.get(2)));
    refused(path, "metrics.jsonl is damaged: line 2");
    Files.write(metrics, List.of(lines.get(1), lines.get(0)));
    refused(path, "line 2 is not the metrics of an epoch after 2");
    Files.write(metrics, List.of("null", lines.get(0)));
    refused(path, "line 1 is not the metrics of an epoch after 0");
  }

  @ParameterizedTest
  @ValueSource(strings = {"garbage\n", "garbage\n\n", "{\"epoch\":4,\n", " \n", "\u0000\u0001\n"})
  void aWholeLineOfGarbageIsDamage(String line) throws IOException {
    Path path = RunFolders.write(folder.resolve("run"), CONFIG, RunFolders.epochs(3, 2));
    Path metrics = path.resolve("metrics.jsonl");
    Files.writeString(metrics, line, StandardOpenOption.APPEND);
    refused(path, metrics + " is damaged: line 4 is not an epoch's metrics");
    Files.writeString(metrics, line);
    refused(path, metrics + " is damaged: line 1 is not an epoch's metrics");
  }

  @ParameterizedTest
  @ValueSource(strings = {"[null]", "null", "[{}]"})
  void blocksThatAreMissingAreDamage(String blocks) throws IOException {
    Path path = RunFolders.write(folder.resolve("run"), CONFIG, RunFolders.epochs(1, 2));
    Path metrics = path.resolve("metrics.jsonl");
    String line = Files.readString(metrics);
    Files.writeString(metrics, line.substring(0, line.indexOf("\"blocks\":")) + "\"blocks\":" + blocks + "}\n");
    refused(path, "line 1 is not the metrics of an epoch after 0");
  }

  @Test
  void foldersWithoutARunAreNamed() throws IOException {
    refused(folder.resolve("none"), "there is no folder " + folder.resolve("none"));
    refused(folder, folder + " is not a run: it has no config.json");
    refused(Files.writeString(folder.resolve("file"), ""), "file is not a folder");
    Path config = Files.createDirectories(folder.resolve("foreign")).resolve("config.json");
    Files.writeString(config, "{\"name\": \"something else\"}");
    refused(folder.resolve("foreign"), "config.json is not a run's configuration");
    for (String damaged : List.of("", "null", "{\"model\"", "[1]")) {
      Files.writeString(config, damaged);
      refused(folder.resolve("foreign"), "config.json is");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {
    "", "null", "{}", "{\"dataset\":\"d\",\"class_names\":[\"a\"],\"confusion_matrix\":[[1,2]],\"mistakes\":[]}",
    "{\"dataset\":\"d\",\"class_names\":[\"a\"],\"confusion_matrix\":[null],\"mistakes\":[]}",
    "{\"dataset\":\"d\",\"class_names\":[\"a\"],\"confusion_matrix\":[[-1]],\"mistakes\":[]}",
    "{\"dataset\":\"d\",\"class_names\":[\"a\"],\"confusion_matrix\":[[1]],\"mistakes\":[{\"image\":0,\"label\":0,"
        + "\"predicted\":1,\"probability\":1,\"png\":\"iVBORw0KGgo=\"}]}",
    "{\"dataset\":\"d\",\"class_names\":[\"a\"],\"confusion_matrix\":[[1]],\"mistakes\":[{\"image\":0,\"label\":0,"
        + "\"predicted\":0,\"probability\":1,\"png\":\"<script>\"}]}",
    "{\"dataset\":\"d\",\"class_names\":[\"a\"],\"confusion_matrix\":[[1]],\"mistakes\":[],\"early_exits\":{\"layers\":[\"b\"],"
        + "\"network_flops\":0,\"points\":[{\"confidence\":1,\"error\":1,\"mean_flops\":1,\"stopped\":[1]}]}}",
    "{\"dataset\":\"d\",\"class_names\":[\"a\"],\"confusion_matrix\":[[1]],\"mistakes\":[],\"early_exits\":{\"layers\":[\"b\"],"
        + "\"network_flops\":1,\"points\":[{\"confidence\":1,\"error\":1,\"mean_flops\":1,\"stopped\":[1,2]}]}}",
    "{\"dataset\":\"d\",\"class_names\":[\"a\"],\"confusion_matrix\":[[1]],\"mistakes\":[],\"early_exits\":{\"layers\":[\"b\"],"
        + "\"network_flops\":1,\"points\":[{\"confidence\":1,\"error\":\"NaN\",\"mean_flops\":1,\"stopped\":[1]}]}}"})
  void damagedEvaluationsAreNamed(String text) throws IOException {
    Path path = RunFolders.write(folder.resolve("run"), CONFIG, RunFolders.epochs(3, 2));
    Files.writeString(path.resolve("evaluation.json"), text);
    refused(path, "evaluation.json is damaged");
  }

  @Test
  void namesAreAsLongAsTheyMustBe() throws IOException {
    Path one = RunFolders.write(folder.resolve("x/seed-1"), CONFIG, List.of());
    Path two = RunFolders.write(folder.resolve("y/seed-1"), CONFIG, List.of());
    assertThat(RunReader.read(List.of(one)).runs().get(0).name()).isEqualTo("seed-1");
    assertThat(RunReader.read(List.of(one, two)).runs().stream().map(Run::name)).containsExactly("x/seed-1", "y/seed-1");
    assertThatThrownBy(() -> RunReader.read(List.of(one, two, folder.resolve("x/../x/seed-1"))))
        .isInstanceOf(LayerwiseException.class)
        .hasMessageContaining("is given twice");
  }

  private static void refused(Path path, String message) {
    assertThatThrownBy(() -> RunReader.read(List.of(path)))
        .isInstanceOf(LayerwiseException.class)
        .hasMessageContaining(message);
  }
}
