package dev.layerwise.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.LayerwiseException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** One model, many threads. */
@Timeout(120)
class ModelThreadsTest {
  private static final int THREADS = 8;
  private static final int ROUNDS = 10;

  @TempDir private static Path folder;
  private static DataSet digits;

  @BeforeAll
  static void train() {
    digits = DataSet.named("digits");
    Network network = Network.named("vgg6a").widthFactor(0.0625).hiddenLayers(1, 16).build();
    Trainer.Outcome outcome = new Trainer(network, digits).epochs(1).device("cpu", 2).train(folder.resolve("run"));
    assertThat(outcome.finished()).isTrue();
  }

  /** Everything that a thread computes of one image: output layer, a local classifier, features. */
  private static List<float[]> results(Model model, int image) {
    byte[] pixels = digits.testImage(image);
    return List.of(
        model.classify(pixels, 1, "classifier.layer_out")[0], model.classify(pixels, 1, "2")[0],
        model.features(pixels, 1, "3")[0]);
  }

  @Test
  void numbersOfImagesThatCannotBeAreRefused() {
    try (Model model = Model.open(folder.resolve("run"), Model.Options.of("cpu", 1, 1))) {
      for (int count : new int[] {-1, 0}) {
        assertThatThrownBy(() -> model.classify(new byte[0], count, "2"))
            .isInstanceOf(LayerwiseException.class)
            .hasMessage("there must be at least 1 image, not " + count);
        assertThatThrownBy(() -> model.features(new byte[0], count, "2")).isInstanceOf(LayerwiseException.class);
      }
    }
  }

  @Test
  void resultsAreThoseOfASingleThread() throws Exception {
    List<List<float[]>> expected = new ArrayList<>();
    try (Model single = Model.open(folder.resolve("run"), Model.Options.of("cpu", 1, 1))) {
      for (int image = 0; image < 20; image++) {
        expected.add(results(single, image));
      }
    }
    for (int replicas : new int[] {1, 3}) {
      ExecutorService threads = Executors.newFixedThreadPool(THREADS);
      try (Model model = Model.open(folder.resolve("run"), Model.Options.of("cpu", 1, replicas))) {
        List<Future<Void>> pending = new ArrayList<>();
        for (int thread = 0; thread < THREADS; thread++) {
          int shift = thread;
          Callable<Void> work = () -> {
            for (int i = 0; i < ROUNDS * 20; i++) {
              int image = (i + 7 * shift) % 20;
              List<float[]> actual = results(model, image);
              for (int k = 0; k < actual.size(); k++) {
                assertThat(actual.get(k)).isEqualTo(expected.get(image).get(k)); // to the bit
              }
            }
            return null;
          };
          pending.add(threads.submit(work));
        }
        for (Future<Void> thread : pending) {
          thread.get();
        }
      } finally {
        threads.shutdownNow();
      }
    }
  }

  @Test
  void closingWaitsForTheCallsUnderWayAndRefusesLaterOnes() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(THREADS);
    try {
      Model model = Model.open(folder.resolve("run"), Model.Options.of("cpu", 1, 2));
      List<Future<Integer>> pending = new ArrayList<>();
      for (int thread = 0; thread < THREADS; thread++) {
        pending.add(threads.submit(() -> {
          for (int calls = 0; ; calls++) {
            try {
              results(model, calls % 20);
            } catch (LayerwiseException e) {
              assertThat(e).hasMessageContaining("the model is closed");
              return calls;
            }
          }
        }));
      }
      TimeUnit.MILLISECONDS.sleep(50); // some are computing, the others wait
      model.close();
      for (Future<Integer> thread : pending) {
        assertThat(thread.get()).isNotNegative();
      }
      model.close(); // harmless
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void aThreadThatWaitsCanBeInterrupted() throws Exception {
    ExecutorService threads = Executors.newSingleThreadExecutor();
    try (Model model = Model.open(folder.resolve("run"), Model.Options.of("cpu", 1, 1))) {
      Future<Void> thread = threads.submit(() -> {
        Thread.currentThread().interrupt(); // whoever must wait finds it
        for (int i = 0; i < 1000; i++) {
          results(model, 0);
        }
        return null;
      });
      for (int i = 0; i < 1000; i++) {
        results(model, 0);
      }
      try {
        thread.get();
      } catch (ExecutionException e) { // where it had to wait
        assertThat(e.getCause()).isInstanceOf(LayerwiseException.class).hasMessageContaining("interrupted");
      }
      assertThat(results(model, 0)).hasSize(3); // nothing was lost
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void wrongArgumentsAreSaid() {
    try (Model model = Model.open(folder.resolve("run"))) {
      assertThatThrownBy(() -> model.predict(new byte[63])).isInstanceOf(LayerwiseException.class)
          .hasMessageContaining("63 pixels");
      assertThatThrownBy(() -> model.classify(new byte[0], 0, "1")).isInstanceOf(LayerwiseException.class);
      assertThatThrownBy(() -> model.layer("features.99")).hasMessageContaining("no layer 'features.99'");
      assertThatThrownBy(() -> model.decode(new byte[] {1, 2, 3})).hasMessageContaining("not an image");
      assertThat(model.predict(digits.testImage(0))).hasSize(10);
    }
    assertThatThrownBy(() -> Model.Options.of("cpu", 1, 0)).hasMessageContaining("at least 1 replica");
  }
}
