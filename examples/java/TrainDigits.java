import dev.layerwise.api.DataSet;
import dev.layerwise.api.LocalLoss;
import dev.layerwise.api.Model;
import dev.layerwise.api.Network;
import dev.layerwise.api.Nonlinearity;
import dev.layerwise.api.Prediction;
import dev.layerwise.api.Trainer;
import java.nio.file.Path;

/** Trains a network on the handwritten digits included with Layerwise, and classifies one. */
public final class TrainDigits {
  private TrainDigits() {}

  /** Argument: the folder for the run, which must not contain a run yet. */
  public static void main(String[] args) {
    Path folder = Path.of(args.length > 0 ? args[0] : "runs/example-digits");
    DataSet digits = DataSet.named("digits");
    Network network =
        Network.named("mlp").hiddenLayers(3, 256).loss(LocalLoss.PREDSIM).nonlinearity(Nonlinearity.LEAKYRELU)
            .dropout(0.1).build();

    Trainer.Outcome outcome =
        new Trainer(network, digits)
            .epochs(5)
            .batchSize(64)
            .onEpoch(epoch -> System.out.printf("epoch %d: test error %.2f %%%n", epoch.number(), epoch.testError()))
            .train(folder);
    System.out.printf("done: %.2f %% in %.1f s%n", outcome.testError(), outcome.seconds());

    try (Model model = Model.open(folder)) {
      // How class information builds up from block to block: each local classifier's prediction for one image.
      byte[] image = digits.testImage(0);
      for (var layer : model.layers()) {
        Prediction likeliest = model.predict(image, layer.name()).get(0);
        System.out.printf("%-10s says %s (%.3f)%n", layer.name(), likeliest.className(), likeliest.probability());
      }
      System.out.println("it is a " + digits.classNames().get(digits.testLabel(0)));
    }
  }
}
