package dev.layerwise.train;

import dev.layerwise.data.DataSet;
import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.model.LayerSpec;
import dev.layerwise.model.WeightImport;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.run.InitialWeights;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.TrainingConfig;
import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.safetensors.TensorSource;
import dev.layerwise.settings.Optimizer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Weights with which a new run begins, where they are not random: from a file, or whitening filters. */
final class Initialization {
  private Initialization() {}

  /**
   * Sets them as the configuration says.
   *
   * @param images of training
   * @return {@link WeightImport#summary}; empty if none come from a file
   */
  static List<String> set(
      NativeContext context, RunConfig config, DeviceNetwork network, PipelineStage stage, ImageFeed images,
      DataSet<?> data) {
    if (config.model().architecture().whitens() && stage.isFirst()) {
      whiten(network, images, data, config.training());
    }
    return config.init() == null ? List.of() : fromFile(context, config, network, stage);
  }

  /** Whether weights fit is a question of the whole network, of which a stage then takes its own. */
  private static List<String> fromFile(
      NativeContext context, RunConfig config, DeviceNetwork network, PipelineStage stage) {
    if (stage.isWhole()) {
      return load(config.init(), network);
    }
    try (DeviceNetwork whole = new DeviceNetwork(context, config.model(), Optimizer.STATELESS)) {
      List<String> summary = load(config.init(), whole);
      network.setWeights(whole.weights());
      return summary;
    }
  }

  private static List<String> load(InitialWeights init, DeviceNetwork whole) {
    return WeightImport.load(Path.of(init.file()), whole, init.takesWhatFits()).summary();
  }

  /** Every process computes the same: the sample does not depend on their number. */
  private static void whiten(DeviceNetwork network, ImageFeed images, DataSet<?> data, TrainingConfig training) {
    LayerSpec first = network.layers().get(0);
    Map<String, TensorSource> weights = new LinkedHashMap<>(network.weights());
    weights.computeIfPresent(
        first.name() + ".encoder.weight",
        (name, random) ->
            Whitening.of(images, data, first.kernel(), training.augmentation(), training.seed())
                .over(HostTensor.copyOf(random)));
    network.setWeights(weights);
  }
}
