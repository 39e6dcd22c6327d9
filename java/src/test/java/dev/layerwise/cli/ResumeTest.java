package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A run that was stopped anywhere and resumed ends with the bits of one that was not. */
class ResumeTest {
  // Long enough for a kill to fall anywhere; dropout, augmentation, mixing and momenta all have state.
  private static final String[] OPTIONS =
      ("--num-layers 2 --num-hidden 64 --cutout --length 2 --optim amsgrad --epochs 12 --threads 1"
          + " --lr-decay-milestones 4 8 --label-smoothing 0.1 --mixup 0.4 --cutmix 1").split(" ");

  @TempDir private Path folder;
  private byte[] expected;

  @BeforeEach
  void trainWithoutStop() throws IOException {
    CommandLineRunner run = train(folder.resolve("whole"));
    assertThat(run.exitCode()).as(run.err()).isZero();
    expected = Files.readAllBytes(folder.resolve("whole/model.safetensors"));
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void aKilledRunResumes(long seed) throws Exception {
    Path run = folder.resolve("killed");
    Process process = start(run);
    Random random = new Random(seed);
    try (BufferedReader lines =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      int epochs = random.nextInt(6);
      for (int i = 0; i <= epochs; i++) {
        assertThat(lines.readLine()).contains("\"epoch\"");
      }
      TimeUnit.MILLISECONDS.sleep(random.nextInt(60));
      process.destroyForcibly().waitFor();
    }
    CommandLineRunner resumed = CommandLineRunner.run("train", "--resume", run, "--json");
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(Files.readAllBytes(run.resolve("model.safetensors"))).isEqualTo(expected);
    assertThat(Files.readAllLines(run.resolve("metrics.jsonl"))).hasSize(12);
    try (Stream<Path> files = Files.list(run)) {
      assertThat(files.map(file -> file.getFileName().toString()))
          .containsExactlyInAnyOrder(
              ".lock", "config.json", "metrics.jsonl", "checkpoint.safetensors", "model.safetensors",
              "evaluation.json", "sessions.json");
    }
  }

  @Test
  void controlCFinishesTheStepAndSaysHowToGoOn() throws Exception {
    Path run = folder.resolve("stopped");
    Process process = start(run);
    try (BufferedReader lines =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      lines.readLine();
      new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start().waitFor();
      assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
      assertThat(process.exitValue()).isEqualTo(130);
    }
    assertThat(Files.readString(folder.resolve("stopped.err"))).contains("layerwise train --resume " + run);
    CommandLineRunner fewer = CommandLineRunner.run("train", "--resume", run, "--epochs", 1);
    assertThat(fewer.exitCode()).as("weights from inside a later epoch are no result of epoch 1").isEqualTo(1);
    assertThat(fewer.err()).contains("has begun its epoch");
    CommandLineRunner resumed = CommandLineRunner.run("train", "--resume", "--out", run);
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(Files.readAllBytes(run.resolve("model.safetensors"))).isEqualTo(expected);
  }

  @Test
  void aRunThatIsKilledInItsFirstEpochResumes() throws Exception {
    Path run = folder.resolve("young");
    Process process = start(run);
    while (!Files.exists(run.resolve("checkpoint.safetensors"))) {
      assertThat(process.isAlive()).isTrue();
      TimeUnit.MILLISECONDS.sleep(2);
    }
    process.destroyForcibly().waitFor();
    CommandLineRunner resumed = CommandLineRunner.run("train", "--resume", run);
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(Files.readAllBytes(run.resolve("model.safetensors"))).isEqualTo(expected);
  }

  @Test
  void resumingIntoAnotherRunsFolderIsRefused() throws IOException {
    CommandLineRunner.run("train", "--epochs", 1, "--out", folder.resolve("other"));
    byte[] other = Files.readAllBytes(folder.resolve("other/model.safetensors"));
    CommandLineRunner resumed =
        CommandLineRunner.run("train", "--resume", folder.resolve("whole"), "--out", folder.resolve("other"));
    assertThat(resumed.exitCode()).isEqualTo(1);
    assertThat(resumed.err()).contains("already holds a run");
    assertThat(Files.readAllBytes(folder.resolve("other/model.safetensors"))).isEqualTo(other);
  }

  @Test
  void aResumedRunKeepsItsConfiguration() {
    Path run = folder.resolve("whole");
    CommandLineRunner changed = CommandLineRunner.run("train", "--resume", run, "--lr", "0.1", "--seed", 5);
    assertThat(changed.exitCode()).isEqualTo(2);
    assertThat(changed.err()).contains("lr from 5.0E-4 to 0.1").contains("seed from 1 to 5");
    CommandLineRunner fewer = CommandLineRunner.run("train", "--resume", run, "--epochs", 3);
    assertThat(fewer.exitCode()).isEqualTo(1);
    assertThat(fewer.err()).contains("has begun its epoch 12 already");
    CommandLineRunner more = CommandLineRunner.run("train", "--resume", run, "--epochs", 13, "--json");
    assertThat(more.exitCode()).as(more.err()).isZero();
    assertThat(more.lastEvent().get("epochs").asInt()).isEqualTo(13);
  }

  @Test
  void twoRunsDoNotShareAFolder() throws Exception {
    Path run = folder.resolve("busy");
    Process process = start(run);
    try (BufferedReader lines =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      lines.readLine();
      CommandLineRunner second = CommandLineRunner.run("train", "--resume", run);
      assertThat(second.exitCode()).isEqualTo(1);
      assertThat(second.err()).contains("another run is writing to " + run);
    } finally {
      process.destroyForcibly().waitFor();
    }
  }

  private static CommandLineRunner train(Path out) {
    return CommandLineRunner.run(
        Stream.concat(Stream.of("train", "--out", out), Stream.of(OPTIONS)).toArray());
  }

  /**
   * The same run in a process of its own, with JSON lines on its stdout and stderr in a file. SIGINT is set to its
   * default there: a shell's background jobs, which this test may be one of, ignore it.
   */
  private Process start(Path out) throws IOException {
    ProcessBuilder builder =
        new ProcessBuilder(
            "env", "--default-signal=INT", Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp",
            System.getProperty("java.class.path"), "dev.layerwise.cli.Main", "train", "--json", "--out", out.toString());
    builder.command().addAll(List.of(OPTIONS));
    builder.redirectError(folder.resolve(out.getFileName() + ".err").toFile());
    return builder.start();
  }
}
