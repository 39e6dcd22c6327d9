import dev.layerwise.api.DataSet;
import dev.layerwise.api.Layer;
import dev.layerwise.api.LocalLoss;
import dev.layerwise.api.Network;
import dev.layerwise.api.Trainer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Trains a network described in a JSON file, on images created in memory. */
public final class CustomNetwork {
  private static final int SIDE = 12;

  private CustomNetwork() {}

  /** Arguments: the description, such as small-residual.json, and the folder for the run. */
  public static void main(String[] args) {
    Network network =
        Network.described(Path.of(args[0])).loss(LocalLoss.PREDSIM).beta(0.9).dimInDecoder(256).build();
    DataSet data = stripes();
    for (Layer layer : network.layers(data)) {
      System.out.printf(
          "%-8s %-9s %d×%d×%d%n", layer.name(), layer.kind(), layer.channels(), layer.height(), layer.width());
    }
    Trainer.Outcome outcome =
        new Trainer(network, data).epochs(3).batchSize(32).learningRate(2e-3).seed(7).train(Path.of(args[1]));
    System.out.printf("test error %.2f %%%n", outcome.testError());
  }

  /** Noisy images with horizontal or vertical stripes. */
  private static DataSet stripes() {
    Random random = new Random(1);
    int train = 600;
    int test = 200;
    byte[] pixels = new byte[(train + test) * SIDE * SIDE];
    int[] labels = new int[train + test];
    for (int image = 0; image < labels.length; image++) {
      labels[image] = random.nextInt(2);
      int phase = random.nextInt(4);
      for (int i = 0; i < SIDE * SIDE; i++) {
        int along = labels[image] == 0 ? i / SIDE : i % SIDE;
        int level = ((along + phase) / 2 % 2 == 0 ? 200 : 50) + random.nextInt(56);
        pixels[image * SIDE * SIDE + i] = (byte) level;
      }
    }
    return DataSet.of(
        "stripes", List.of("horizontal", "vertical"), 1, SIDE, SIDE,
        Arrays.copyOf(pixels, train * SIDE * SIDE), Arrays.copyOf(labels, train),
        Arrays.copyOfRange(pixels, train * SIDE * SIDE, pixels.length),
        Arrays.copyOfRange(labels, train, labels.length));
  }
}
