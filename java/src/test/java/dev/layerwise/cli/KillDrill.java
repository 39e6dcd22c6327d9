package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.run.RecordedRun;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Kills a short run with SIGKILL at 50 moments of a fixed seed; each ends with the bits of one that was left alone. */
class KillDrill {
  private static final int KILLS = 50;
  private static final long SEED = 20_240_601;
  private static final int EPOCHS = 20;
  // Dropout, crops and moments all have state. Checkpoints are so many that kills hit their writing.
  private static final Object[] OPTIONS =
      ("--num-layers 2 --num-hidden 64 --cutout --length 2 --optim amsgrad --threads 1 --lr-decay-milestones 4 8"
          + " --epochs " + EPOCHS).split(" ");

  @TempDir private Path folder;

  @Test
  void everyKilledRunEndsAsIfNothingHadHappened() throws Exception {
    Path whole = folder.resolve("whole");
    Process undisturbed = start(whole);
    awaitBeginning(undisturbed, whole);
    long begun = System.nanoTime();
    assertThat(undisturbed.waitFor()).isZero();
    double seconds = (System.nanoTime() - begun) * 1e-9;
    Random random = new Random(SEED);
    ExecutorService two = Executors.newFixedThreadPool(2);
    try {
      List<Future<Integer>> drills = new ArrayList<>();
      for (int i = 0; i < KILLS; i++) {
        Path run = folder.resolve("killed-" + i);
        double moment = random.nextDouble();
        drills.add(two.submit(() -> drill(run, moment * seconds, whole)));
      }
      int midway = 0;
      for (Future<Integer> drill : drills) {
        int epochs = drill.get();
        midway += epochs >= 0 && epochs < EPOCHS ? 1 : 0;
      }
      System.out.printf("%d runs killed, %d of them with a checkpoint and not at their end%n", KILLS, midway);
      assertThat(midway).as("kills that have hit a run under way").isGreaterThan(KILLS / 2);
    } catch (ExecutionException e) {
      throw new AssertionError(e.getCause());
    } finally {
      two.shutdownNow();
    }
  }

  /**
   * Kills a run that moment after it began to write to its folder, and ends it.
   *
   * @return epochs that it had done; -1 if it had no checkpoint yet
   */
  private int drill(Path run, double seconds, Path whole) throws Exception {
    Process process = start(run);
    awaitBeginning(process, run);
    process.waitFor((long) (seconds * 1e6), TimeUnit.MICROSECONDS);
    process.destroyForcibly().waitFor();
    boolean begun = Files.exists(run.resolve("checkpoint.safetensors"));
    int epochs = begun ? RecordedRun.read(run).result().epochs() : -1;
    List<Object> words = new ArrayList<>(List.of("train", "--out", run));
    words.addAll(begun ? List.of("--resume") : List.of(OPTIONS));
    CommandLineRunner ended = CommandLineRunner.run(words.toArray());
    assertThat(ended.exitCode()).as(ended.err()).isZero();
    assertThat(run.resolve("model.safetensors")).hasSameBinaryContentAs(whole.resolve("model.safetensors"));
    assertThat(Files.readAllLines(run.resolve("metrics.jsonl"))).hasSize(EPOCHS);
    assertThat(leftovers(run)).isEmpty();
    return epochs;
  }

  private static void awaitBeginning(Process process, Path run) throws InterruptedException {
    while (!Files.exists(run.resolve(".lock"))) {
      assertThat(process.isAlive()).isTrue();
      TimeUnit.MILLISECONDS.sleep(1);
    }
  }

  private static List<Path> leftovers(Path run) throws IOException {
    try (Stream<Path> files = Files.list(run)) {
      return files.filter(file -> file.toString().endsWith(".tmp")).toList();
    }
  }

  private Process start(Path out) throws IOException {
    List<Object> words = new ArrayList<>(List.of("train", "--out", out, "--checkpoint-every", "5steps"));
    words.addAll(List.of(OPTIONS));
    return new ProcessBuilder(JavaProcess.command(words.toArray()))
        .redirectOutput(ProcessBuilder.Redirect.DISCARD).redirectError(ProcessBuilder.Redirect.DISCARD).start();
  }
}
