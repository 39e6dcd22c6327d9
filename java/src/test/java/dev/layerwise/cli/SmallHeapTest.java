package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Networks do not pass through Java's heap as a whole: here weights and moments are 78 MB, and the heap has 40. */
class SmallHeapTest {
  private static final List<String> HEAP = List.of("-Xmx40m");

  @TempDir private Path folder;

  private void run(Object... arguments) throws Exception {
    Path log = folder.resolve("log");
    Process process =
        new ProcessBuilder(JavaProcess.command(HEAP, arguments))
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
    assertThat(process.exitValue()).as(Files.readString(log)).isZero();
  }

  @Test
  void aNetworkLargerThanTheHeapIsTrainedResumedAndEvaluated() throws Exception {
    Path run = folder.resolve("run");
    run(
        "train", "--out", run, "--num-layers", 2, "--num-hidden", 2500, "--loss", "pred", "--batch-size", 500, "--epochs", 1,
        "--threads", 2);
    assertThat(Files.size(run.resolve("checkpoint.safetensors"))).isGreaterThan(75_000_000);
    run("train", "--resume", run, "--epochs", 2);
    run("evaluate", run);
    run(
        "train", "--out", folder.resolve("from"), "--init", run, "--epochs", 1, "--num-layers", 2, "--num-hidden", 2500,
        "--loss", "pred", "--batch-size", 500, "--threads", 2);
  }
}
