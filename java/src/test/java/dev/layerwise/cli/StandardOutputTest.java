package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StandardOutputTest {
  @TempDir private Path folder;

  @Test
  void everythingArrives() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    StandardOutput output = new StandardOutput(bytes, StandardCharsets.UTF_8, () -> {});
    output.print("5.56 % of 3×1024");
    assertThat(output.finish()).isNull();
    assertThat(bytes.toString(StandardCharsets.UTF_8)).isEqualTo("5.56 % of 3×1024");
  }

  @Test
  void aFailureIsKept() {
    int[] readersGone = {0};
    StandardOutput output = new StandardOutput(new OutputStream() {
      @Override
      public void write(int b) throws IOException {
        throw new IOException("No space left on device");
      }
    }, StandardCharsets.UTF_8, () -> readersGone[0]++);
    output.println("a line");
    assertThat(output.checkError()).isTrue();
    assertThat(output.finish()).hasMessage("No space left on device");
    assertThat(readersGone).containsExactly(0);
    assertThat(StandardOutput.failure(output)).isEqualTo("cannot write the results to stdout: No space left on device");
  }

  @Test
  void aFullDiskIsNoSuccess() throws Exception {
    assumeTrue(Files.exists(Path.of("/dev/full")), "needs /dev/full");
    Process process =
        new ProcessBuilder(JavaProcess.command("presets"))
            .redirectOutput(Path.of("/dev/full").toFile())
            .start();
    String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(err).isEqualTo(1);
    assertThat(err).contains("cannot write the results to stdout: No space left on device").doesNotContain("\tat ");
  }

  @Test
  void aReaderThatHasGoneEndsTheProgramWithoutAWord() throws Exception {
    for (String command : new String[] {"presets", "train --epochs 1000000 --num-layers 1 --num-hidden 8 --out " + folder}) {
      Process process = new ProcessBuilder(JavaProcess.command((Object[]) command.split(" "))).start();
      process.getInputStream().close();
      String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(process.waitFor()).as(err).isEqualTo(StandardOutput.CLOSED_PIPE);
      assertThat(err).doesNotContain("layerwise:", "stdout", "pipe");
    }
    assertThat(CommandLineRunner.run("train", "--resume", folder, "--time-limit", "1s").exitCode()).isZero();
  }

  @Test
  void trainingSaysWhyItsResultsCannotBeWritten() throws Exception {
    assumeTrue(Files.exists(Path.of("/dev/full")), "needs /dev/full");
    Process process =
        new ProcessBuilder(JavaProcess.command("train", "--epochs", 5, "--out", folder))
            .redirectOutput(Path.of("/dev/full").toFile())
            .start();
    String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(err).isEqualTo(1);
    assertThat(err)
        .contains("cannot write the results to stdout: No space left on device; continue from the last checkpoint with: ")
        .containsOnlyOnce("layerwise: ");
  }
}
