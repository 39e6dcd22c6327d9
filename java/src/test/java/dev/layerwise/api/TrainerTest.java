package dev.layerwise.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.LayerwiseException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Training through the library. */
class TrainerTest {
  @TempDir private Path folder;

  private static Trainer trainer() {
    Network network = Network.named("mlp").hiddenLayers(2, 32).dropout(0.1).nonlinearity("leakyrelu").build();
    return new Trainer(network, DataSet.named("digits")).batchSize(64).device("cpu", 2).seed(5);
  }

  @Test
  void learnsAndReports() {
    List<Epoch> epochs = new ArrayList<>();
    Trainer.Outcome outcome =
        trainer().epochs(3).learningRate(5e-3).decay(0.5, 2).onEpoch(epochs::add).train(folder.resolve("run"));
    assertThat(outcome.finished()).isTrue();
    assertThat(outcome.testError()).isLessThan(30); // chance is 90 %
    assertThat(epochs).hasSize(3);
    assertThat(epochs.get(2).testError()).isEqualTo(outcome.testError());
    assertThat(epochs.get(0).layers()).hasSize(2).allMatch(layer -> layer.localError() != null);
    assertThatThrownBy(() -> trainer().train(folder.resolve("run"))).hasMessageContaining("already holds a run");
  }

  @Test
  void aStoppedRunEndsWithTheSameBits() throws IOException {
    trainer().epochs(3).train(folder.resolve("whole"));
    Trainer stopping = trainer().epochs(3);
    Trainer.Outcome outcome = stopping.onEpoch(epoch -> stopping.requestStop()).train(folder.resolve("part"));
    assertThat(outcome.finished()).isFalse();
    assertThat(outcome.epochs()).isEqualTo(1);
    assertThat(trainer().epochs(3).resume(folder.resolve("part")).finished()).isTrue();
    assertThat(Files.readAllBytes(folder.resolve("part/model.safetensors")))
        .isEqualTo(Files.readAllBytes(folder.resolve("whole/model.safetensors")));
  }

  @Test
  void startsFromWeights() {
    trainer().epochs(3).train(folder.resolve("first"));
    Trainer.Outcome again = trainer().epochs(1).initialWeights(folder.resolve("first")).train(folder.resolve("again"));
    Trainer.Outcome fresh = trainer().epochs(1).train(folder.resolve("fresh"));
    assertThat(again.testError()).isLessThan(fresh.testError());
  }

  @Test
  void imagesInMemoryAreNormalizedByTheirOwnStatistics() {
    byte[] pixels = new byte[4 * 2 * 2];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (byte) (i % 2 == 0 ? 0 : 255);
    }
    DataSet data = DataSet.of("own", List.of("a", "b"), 1, 2, 2, pixels, new int[] {0, 1, 0, 1}, pixels, new int[4]);
    assertThat(data.loaded().info().mean()).containsExactly(0.5f);
    assertThat(data.loaded().info().deviation()).containsExactly(0.5f);
    assertThat(data.testImage(1)).containsExactly(0, 255, 0, 255);
    int[] labels = {0, 1, 0, 1};
    assertThatThrownBy(() -> DataSet.of("own", List.of("a"), 1, 2, 2, pixels, labels, pixels, labels))
        .isInstanceOf(LayerwiseException.class);
  }

  @Test
  void whatCannotWorkIsSaidBeforeAnythingIsWritten() {
    Network network = Network.named("vgg8b").build();
    Path run = folder.resolve("none");
    assertThatThrownBy(() -> new Trainer(network, DataSet.named("digits")).train(run))
        .isInstanceOf(LayerwiseException.class)
        .hasMessageContaining("too deep for 8×8 images");
    assertThat(run).doesNotExist();
    assertThatThrownBy(() -> Network.named("vgg9")).hasMessageContaining("no network 'vgg9'");
    assertThatThrownBy(() -> trainer().epochs(0)).isInstanceOf(LayerwiseException.class);
    assertThatThrownBy(() -> trainer().learningRate(Double.NaN)).isInstanceOf(LayerwiseException.class);
  }
}
