package dev.layerwise.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.api.Layer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Which images are computed together. */
@Timeout(60)
class BatcherTest {
  private static final Layer LAYER = new Layer(1, "layers.0", "linear", 1, 1, 1, true);
  private static final Task CLASSES = new Task(Task.Kind.CLASSES, LAYER);
  private static final Task FEATURES = new Task(Task.Kind.FEATURES, LAYER);
  private static final double LONG = 10_000;

  /** Answers each image with its first level; the first batch waits until it is let go. */
  private static final class Levels implements Batcher.Computation {
    private final CountDownLatch begun = new CountDownLatch(1);
    private final CountDownLatch go = new CountDownLatch(1);
    private final List<String> batches = Collections.synchronizedList(new ArrayList<>());

    @Override
    public float[][] compute(Task task, byte[] pixels, int count) {
      batches.add(task.kind() + " " + count);
      begun.countDown();
      try {
        go.await();
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
      float[][] rows = new float[count][1];
      for (int i = 0; i < count; i++) {
        rows[i][0] = pixels[i * pixels.length / count];
        if (rows[i][0] == 13) {
          throw new IllegalStateException("thirteen");
        }
      }
      return rows;
    }
  }

  private final Levels levels = new Levels();
  private final List<Integer> sizes = Collections.synchronizedList(new ArrayList<>());

  private Batcher batcher(int batchSize, double wait) {
    return batcher(batchSize, wait, 100);
  }

  private Batcher batcher(int batchSize, double wait, int underWay) {
    return new Batcher(levels, new Limits(batchSize, wait, 100, 100, 100, 100), () -> underWay, sizes::add);
  }

  private static List<byte[]> images(int... firstLevels) {
    List<byte[]> images = new ArrayList<>();
    for (int level : firstLevels) {
      images.add(new byte[] {(byte) level, 0});
    }
    return images;
  }

  private static List<Float> results(List<CompletableFuture<float[]>> rows) throws Exception {
    List<Float> results = new ArrayList<>();
    for (CompletableFuture<float[]> row : rows) {
      results.add(row.get()[0]);
    }
    return results;
  }

  @Test
  void whatArrivesDuringAComputationIsTheNextBatch() throws Exception {
    try (Batcher batcher = batcher(4, 0)) {
      List<CompletableFuture<float[]>> first = batcher.submit(CLASSES, images(1));
      levels.begun.await();
      List<CompletableFuture<float[]>> two = batcher.submit(CLASSES, images(2, 3));
      List<CompletableFuture<float[]>> other = batcher.submit(FEATURES, images(4));
      List<CompletableFuture<float[]>> more = batcher.submit(CLASSES, images(5, 6, 7));
      assertThat(batcher.waiting()).isEqualTo(6);
      levels.go.countDown();
      assertThat(results(first)).containsExactly(1f);
      assertThat(results(two)).containsExactly(2f, 3f);
      assertThat(results(other)).containsExactly(4f);
      assertThat(results(more)).containsExactly(5f, 6f, 7f);
      assertThat(levels.batches).containsExactly("CLASSES 1", "CLASSES 4", "FEATURES 1", "CLASSES 1");
      assertThat(sizes).containsExactly(1, 4, 1, 1);
      assertThat(batcher.waiting()).isZero();
    }
  }

  @Test
  void aFullBatchDoesNotWait() throws Exception {
    levels.go.countDown();
    try (Batcher batcher = batcher(2, LONG)) {
      long started = System.nanoTime();
      List<CompletableFuture<float[]>> one = batcher.submit(CLASSES, images(1));
      List<CompletableFuture<float[]>> other = batcher.submit(FEATURES, images(2));
      assertThat(results(batcher.submit(CLASSES, images(3)))).containsExactly(3f);
      assertThat(results(one)).containsExactly(1f);
      assertThat((System.nanoTime() - started) / 1e6).isLessThan(LONG / 2);
      assertThat(other.get(0)).isNotDone();
    }
    assertThat(levels.batches).containsExactly("CLASSES 2", "FEATURES 1"); // closing computes what waits
  }

  @Test
  void anImageDoesNotWaitWhereNoOtherIsOnItsWay() throws Exception {
    levels.go.countDown();
    try (Batcher batcher = batcher(4, LONG, 2)) {
      long started = System.nanoTime();
      List<CompletableFuture<float[]>> one = batcher.submit(CLASSES, images(1));
      List<CompletableFuture<float[]>> two = batcher.submit(CLASSES, images(2));
      assertThat(results(two)).containsExactly(2f);
      assertThat(results(one)).containsExactly(1f);
      assertThat((System.nanoTime() - started) / 1e6).isLessThan(LONG / 2);
      assertThat(levels.batches).containsExactly("CLASSES 2");
    }
  }

  @Test
  void aFailureIsToldToAllOfItsBatchAndNoOther() throws Exception {
    try (Batcher batcher = batcher(4, 0)) {
      List<CompletableFuture<float[]>> first = batcher.submit(CLASSES, images(1));
      levels.begun.await();
      List<CompletableFuture<float[]>> fails = batcher.submit(CLASSES, images(2, 13));
      levels.go.countDown();
      for (CompletableFuture<float[]> row : fails) {
        assertThatThrownBy(row::get).isInstanceOf(ExecutionException.class).hasMessageContaining("thirteen");
      }
      assertThat(results(first)).containsExactly(1f);
      assertThat(results(batcher.submit(CLASSES, images(4)))).containsExactly(4f);
    }
  }

  @Test
  void aClosedOneRefuses() {
    Batcher batcher = batcher(4, 0);
    batcher.close();
    batcher.close(); // harmless
    assertThatThrownBy(() -> batcher.submit(CLASSES, images(1)))
        .isInstanceOf(RequestException.class).hasMessage("the server is shutting down");
  }
}
