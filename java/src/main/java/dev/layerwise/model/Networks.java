package dev.layerwise.model;

import java.util.ArrayList;
import java.util.List;

/** The published networks, by name, and what a configuration's network is made of. */
public final class Networks {
  /** More than anybody has trained; each costs memory before it is known whether all fit. */
  private static final int MOST_LAYERS = 10_000;

  private Networks() {}

  /** The names of the published networks. */
  public static List<String> names() {
    List<String> names = new ArrayList<>(VggNetworks.names());
    names.addAll(ResidualNetworks.names());
    return names;
  }

  /** Whether it ends in hidden linear blocks, whose number and width can be chosen. */
  public static boolean hasLinearBlocks(String name) {
    return VggNetworks.names().contains(name);
  }

  /** Whether its convolutions can be given more or fewer channels. */
  public static boolean hasWidth(String name) {
    return !name.equals(VggNetworks.MLP) && !ResidualNetworks.isWideResNet(name);
  }

  /** Whether its blocks can be of either activation. */
  public static boolean hasPreactivationVariant(String name) {
    return ResidualNetworks.isResNet(name);
  }

  /**
   * The description of a configuration's network, with the widths that it has there.
   *
   * @throws ModelException for an unknown name, or sizes that are not positive
   */
  public static NetworkSpec spec(ModelConfig config) {
    require(config.featMult() > 0, "--feat-mult must be positive, not " + config.featMult());
    if (config.network() != null) {
      return config.network().widened(config.featMult());
    }
    String name = config.model();
    require(
        names().contains(name),
        "there is no network '" + name + "'; there are: " + String.join(", ", names())
            + ", and what you describe in a .json file");
    require(
        config.featMult() == 1 || !ResidualNetworks.isWideResNet(name),
        "--feat-mult does not go with " + name + "; a Wide ResNet has its width in its name");
    if (!hasLinearBlocks(name)) {
      return ResidualNetworks.spec(config);
    }
    require(
        config.numLayers() >= 0 && config.numLayers() <= MOST_LAYERS,
        "the number of hidden layers must be in 0 … " + MOST_LAYERS + ", but is " + config.numLayers());
    require(config.numHidden() > 0, "the number of hidden units must be positive, not " + config.numHidden());
    return VggNetworks.spec(config);
  }

  /**
   * The blocks of a network in the order in which they are driven; the last is the output layer.
   *
   * @throws ModelException as {@link #spec} does, and for blocks that do not fit together or do not have
   *     what the configured losses need; the message names the block
   */
  public static List<LayerSpec> layers(ModelConfig config) {
    require(config.classes() >= 2, "a network needs at least 2 classes, not " + config.classes());
    List<LayerSpec> layers = LayerPlanner.plan(spec(config), config);
    if ("recon".equals(config.lossUnsup())) {
      layers.forEach(Networks::checkReconstruction);
    }
    return layers;
  }

  /** The reconstruction loss undoes a convolution by one transposed convolution of the same size. */
  private static void checkReconstruction(LayerSpec layer) {
    require(
        !layer.hasLoss() || layer.stride() == 1 || layer.input() == LayerSpec.IMAGES,
        layer.name() + ": the reconstruction loss cannot rebuild the input of a convolution of stride " + layer.stride()
            + "; choose --loss-unsup sim, or a network without strides");
  }

  private static void require(boolean condition, String message) {
    if (!condition) {
      throw new ModelException(message);
    }
  }
}
