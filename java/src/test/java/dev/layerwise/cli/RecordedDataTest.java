package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.layerwise.Json;
import dev.layerwise.data.SyntheticFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run remembers where its data was. */
class RecordedDataTest {
  @TempDir private Path folder;
  private Path data;
  private Path run;

  @BeforeEach
  void train() {
    data = folder.resolve("data");
    run = folder.resolve("run");
    SyntheticFiles.writeMnist(data, 200, 20);
    CommandLineRunner trained =
        CommandLineRunner.run(
            "train", "--dataset", "mnist", "--data-dir", data, "--num-hidden", 8, "--threads", 1, "--epochs", 1, "--out", run);
    assertThat(trained.exitCode()).as(trained.err()).isZero();
  }

  private void assertWorks(Object... command) {
    CommandLineRunner done = CommandLineRunner.run(command);
    assertThat(done.exitCode()).as(done.err()).isZero();
  }

  @Test
  void itsDataIsFoundAgain() throws IOException {
    JsonNode place = Json.mapper().readTree(run.resolve("data.json").toFile());
    assertThat(place.get("dataset").asText()).isEqualTo("mnist");
    assertThat(place.get("folder").asText()).isEqualTo(data.toString());
    assertWorks("evaluate", run);
    assertWorks("evaluate", run.resolve("model.safetensors"));
    assertWorks("embed", run, "--dataset", "mnist", "--out", folder.resolve("features.npy"));
    assertWorks("train", "--resume", run, "--epochs", 2);
  }

  @Test
  void dataThatHasMovedIsRecordedAnew() throws IOException {
    Path moved = Files.move(data, folder.resolve("moved"));
    CommandLineRunner lost = CommandLineRunner.run("evaluate", run);
    assertThat(lost.exitCode()).isEqualTo(1);
    assertThat(lost.err()).contains("MNIST was not found");
    assertWorks("evaluate", run, "--data-dir", moved);
    assertWorks("train", "--resume", run, "--epochs", 2, "--data-dir", moved);
    assertWorks("evaluate", run);
  }

  @Test
  void aDamagedRecordIsAsGoodAsNone() throws IOException {
    for (String damaged : new String[] {"", "null", "{}", "{\"dataset\": \"mnist\"}", "{\"dataset\": \"mnist\", \"folder\": \"\\u0000\"}"}) {
      Files.writeString(run.resolve("data.json"), damaged);
      CommandLineRunner lost = CommandLineRunner.run("evaluate", run);
      assertThat(lost.exitCode()).as(damaged).isEqualTo(1);
      assertThat(lost.err()).as(damaged).contains("MNIST was not found");
    }
    assertWorks("evaluate", run, "--data-dir", data);
  }

  @Test
  void anotherDataSetIsNotLookedForThere() {
    CommandLineRunner other = CommandLineRunner.run("evaluate", run, "--dataset", "fashion-mnist");
    assertThat(other.err()).doesNotContain(data.toString());
  }

  @Test
  void aFileOfThatNameThatNoRunHasLeftIsKept() throws IOException {
    Path other = Files.createDirectory(folder.resolve("other"));
    Files.writeString(other.resolve("data.json"), "[1, 2]");
    CommandLineRunner refused =
        CommandLineRunner.run(
            "train", "--dataset", "mnist", "--data-dir", data, "--num-hidden", 8, "--epochs", 1, "--out", other);
    assertThat(refused.exitCode()).isEqualTo(1);
    assertThat(refused.err()).contains("holds a data.json that no run has left");
    assertThat(Files.readString(other.resolve("data.json"))).isEqualTo("[1, 2]");
  }
}
