package dev.layerwise.cli;

import dev.layerwise.data.DataSetInfo;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.OptimizerConfig;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.train.RunConfig;
import dev.layerwise.train.TrainingConfig;
import java.util.List;

/** What a run does where no option says otherwise. */
final class RunDefaults {
  private RunDefaults() {}

  /** The digits recipe for digits; for every other data set the published code's defaults. */
  static RunConfig of(DataSetInfo data) {
    boolean digits = data.name().equals("digits");
    ModelConfig model =
        new ModelConfig(
            digits ? "mlp" : "vgg8b", 1, digits ? 3 : 1, digits ? 256 : 1024, "predsim", false, 0.99, 0, "none", false, 128,
            false, 4096, true,
            digits ? "leakyrelu" : "relu", digits ? 0.1 : 0, true, data.channels(), data.height(), data.width(),
            data.classes());
    OptimizerConfig optimizer = new OptimizerConfig("adam", 0, 0);
    TrainingConfig training =
        new TrainingConfig(
            data.name(), digits ? 30 : 400, digits ? 64 : 128, 0, 0, 5e-4,
            digits ? List.of(15, 22, 27) : List.of(200, 300, 350, 375), 0.25, data.cropPadding(),
            data.horizontalFlip(), 0, 0, 1);
    return new RunConfig(model, optimizer, training, DeviceOptions.of("cpu", 0));
  }
}
