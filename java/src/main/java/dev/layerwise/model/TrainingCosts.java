package dev.layerwise.model;

/**
 * The arithmetic of one training step per image: multiplications and additions of convolutions and linear layers, each
 * two operations, if none is saved (as Winograd's method does) and none is wasted. Everything else is few beside it.
 */
public final class TrainingCosts {
  private TrainingCosts() {}

  /**
   * Every layer's forward pass and weight gradient; its data gradient where gradients travel back and the layer does not
   * read the images; and three passes each through the convolution of the similarity loss and through the classifier of
   * the prediction loss.
   */
  public static double flopsPerImage(DeviceNetwork network) {
    ModelConfig config = network.config();
    boolean gradientsTravel = config.losses().areConnected();
    double flops = 0;
    for (int i = 0; i < network.layers().size(); i++) {
      LayerSpec layer = network.layers().get(i);
      LayerCosts costs = LayerCosts.of(network, i);
      boolean output = layer.kind() == LayerSpec.Kind.OUTPUT;
      boolean passesOn =
          layer.input() != LayerSpec.IMAGES
              && (gradientsTravel || layer.kind() == LayerSpec.Kind.PREACTIVATION
                  || network.layers().get(layer.input()).learnsWith(layer));
      flops += costs.flops() * (passesOn ? 3.0 : 2.0);
      if (!output && layer.hasLoss() && !config.losses().backprop()) {
        flops += 3.0 * costs.localClassifierFlops() + 3.0 * similarityFlops(config, layer);
      }
    }
    return flops;
  }

  /** One pass through the 3×3 convolution (linear layer) between a block's maps and their similarities. */
  private static double similarityFlops(ModelConfig config, LayerSpec layer) {
    if (config.losses().bio() || !config.losses().hasSimilarityLoss()) {
      return 0;
    }
    double channels = layer.outChannels();
    if (layer.kind() == LayerSpec.Kind.LINEAR) {
      return 2 * channels * channels;
    }
    return 2 * channels * channels * 9 * layer.convolvedHeight() * layer.convolvedWidth();
  }
}
