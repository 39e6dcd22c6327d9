package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Disks that are full, read-only, or gone, and folders that two runs want. Mounting a small disk needs root. */
class DiskDrill {
  private static final String SMALL = " --num-layers 1 --num-hidden 64 --threads 1 ";
  private static final int DISK_BYTES = 2 << 20;

  @TempDir private Path folder;
  private Path disk;
  private Path run;
  private boolean mounted;

  @BeforeEach
  void places() throws IOException {
    disk = Files.createDirectory(folder.resolve("disk"));
    run = disk.resolve("run");
  }

  @AfterEach
  void unmount() throws Exception {
    if (mounted) {
      assertThat(succeeds("umount", disk.toString())).isTrue();
    }
  }

  private void mountSmallDisk() throws Exception {
    mounted = succeeds("mount", "-t", "tmpfs", "-o", "size=" + DISK_BYTES, "tmpfs", disk.toString());
    assumeTrue(mounted, "needs the right to mount a tmpfs (root)");
  }

  private static boolean succeeds(String... command) throws Exception {
    return new ProcessBuilder(command).redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.DISCARD).start().waitFor() == 0;
  }

  /** @param free bytes that the full disk has left: none, or enough for small files but for no checkpoint */
  @ParameterizedTest
  @ValueSource(ints = {0, 64 << 10})
  void aFullDiskLosesNothing(int free) throws Exception {
    mountSmallDisk();
    Path whole = folder.resolve("whole");
    assertThat(train(whole, SMALL + "--epochs 4").exitCode()).isZero();
    assertThat(train(run, SMALL + "--epochs 2").exitCode()).isZero();
    byte[] checkpoint = Files.readAllBytes(run.resolve("checkpoint.safetensors"));
    byte[] model = Files.readAllBytes(run.resolve("model.safetensors"));
    assertThat(checkpoint.length).isGreaterThan(64 << 10);
    Path filler = disk.resolve("filler");
    fill(filler, free);

    CommandLineRunner full = train(run, "--resume --epochs 4");
    assertThat(full.exitCode()).isEqualTo(1);
    assertThat(full.err()).contains("No space left on device").contains(run.toString()).doesNotContain("\tat ");
    assertThat(Files.readAllBytes(run.resolve("checkpoint.safetensors"))).isEqualTo(checkpoint);
    assertThat(Files.readAllBytes(run.resolve("model.safetensors"))).isEqualTo(model);
    assertThat(CommandLineRunner.run("evaluate", run, "--threads", 1).exitCode()).isZero();

    Files.delete(filler);
    CommandLineRunner resumed = train(run, "--resume --epochs 4");
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(run.resolve("model.safetensors")).hasSameBinaryContentAs(whole.resolve("model.safetensors"));
    assertThat(Files.readAllLines(run.resolve("metrics.jsonl"))).hasSize(4);
  }

  private void fill(Path filler, int free) throws IOException {
    long bytes = Files.getFileStore(disk).getUsableSpace() - free;
    Files.write(filler, new byte[(int) bytes]);
    assertThat(Files.getFileStore(disk).getUsableSpace()).isLessThanOrEqualTo(free);
  }

  @Test
  void aReadOnlyDiskIsSaid() throws Exception {
    mountSmallDisk();
    assertThat(train(run, SMALL + "--epochs 1").exitCode()).isZero();
    assertThat(succeeds("mount", "-o", "remount,ro", disk.toString())).isTrue();
    for (String options : new String[] {"--resume --epochs 2", "--epochs 1"}) {
      CommandLineRunner refused = train(options.startsWith("--resume") ? run : disk.resolve("new"), options);
      assertThat(refused.exitCode()).isEqualTo(1);
      assertThat(refused.err()).contains("Read-only file system").contains(disk.toString()).doesNotContain("\tat ");
    }
  }

  @Test
  void aFolderThatVanishesIsSaid() throws Exception {
    CompletableFuture<CommandLineRunner> training =
        CompletableFuture.supplyAsync(() -> train(run, SMALL + "--epochs 1000000"));
    while (!Files.exists(run.resolve("metrics.jsonl"))) {
      assertThat(training.isDone()).isFalse();
      TimeUnit.MILLISECONDS.sleep(5);
    }
    Files.move(run, disk.resolve("elsewhere"));
    CommandLineRunner ended = training.get(1, TimeUnit.MINUTES);
    assertThat(ended.exitCode()).isEqualTo(1);
    assertThat(ended.err()).contains("annot write " + run).doesNotContain("\tat ").doesNotContain("internal error");
  }

  @Test
  void twoRunsRefuseEachOther() throws Exception {
    Process first =
        new ProcessBuilder(
                JavaProcess.command((Object[]) ("train --json --epochs 1000000 --out " + run + SMALL).split(" +")))
            .redirectError(ProcessBuilder.Redirect.DISCARD).start();
    try {
      first.inputReader(StandardCharsets.UTF_8).readLine();
      for (String options : new String[] {"--resume", SMALL}) {
        CommandLineRunner second = train(run, options);
        assertThat(second.exitCode()).isEqualTo(1);
        assertThat(second.err()).contains("another run is writing to " + run);
      }
      assertThat(first.isAlive()).isTrue();
    } finally {
      first.destroyForcibly().waitFor();
    }
    assertThat(train(run, "--resume --time-limit 1s").exitCode()).as("the lock is gone with the process").isZero();
  }

  private static CommandLineRunner train(Path out, String options) {
    return CommandLineRunner.line("train --out " + out + " " + options.trim());
  }
}
