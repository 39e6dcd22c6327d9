package dev.layerwise.model;

import dev.layerwise.settings.Architecture;
import java.util.ArrayList;
import java.util.List;

/** The published networks, by name, and what a configuration's network is made of. */
public final class Networks {
  private static final Architecture.Variants PUBLISHED =
      new Architecture.Variants() {
        @Override
        public boolean hasWidth(String name) {
          return !name.equals(VggNetworks.MLP) && !ResidualNetworks.isWideResNet(name);
        }

        @Override
        public boolean hasLinearBlocks(String name) {
          return VggNetworks.names().contains(name);
        }

        @Override
        public boolean hasPreactivation(String name) {
          return ResidualNetworks.isResNet(name);
        }
      };

  private static final Architecture.Variants DESCRIBED =
      new Architecture.Variants() {
        @Override
        public boolean hasWidth(String name) {
          return true;
        }

        @Override
        public boolean hasLinearBlocks(String name) {
          return false;
        }

        @Override
        public boolean hasPreactivation(String name) {
          return false;
        }
      };

  /** Values of a patch whose covariance is computed in seconds. */
  private static final int MOST_WHITENED = 512;

  private Networks() {}

  /** The names of the published networks. */
  public static List<String> names() {
    List<String> names = new ArrayList<>(VggNetworks.names());
    names.addAll(ResidualNetworks.names());
    return names;
  }

  /** Where a published network comes from; {@code null} for any other. */
  public static String origin(String name) {
    return ResidualNetworks.names().contains(name) ? ResidualNetworks.origin(name)
        : names().contains(name) ? VggNetworks.origin(name) : null;
  }

  /** What settings are about in the published networks; of one that a user has described, in its convolutions' width. */
  public static Architecture.Variants variants(boolean described) {
    return described ? DESCRIBED : PUBLISHED;
  }

  /**
   * The description of a configuration's network, with the widths that it has there.
   *
   * @throws ModelException for an unknown name, or a width that it cannot have
   */
  public static NetworkSpec spec(ModelConfig config) {
    if (config.network() != null) {
      return config.network().widened(config.architecture().featMult());
    }
    String name = config.name();
    require(
        names().contains(name),
        "unknown network '" + name + "'; choose from " + String.join(", ", names())
            + ", and what you describe in a .json file");
    require(
        config.architecture().featMult() == 1 || PUBLISHED.hasWidth(name) || name.equals(VggNetworks.MLP),
        "the width of " + name + " is in its name; it has no other");
    if (!PUBLISHED.hasLinearBlocks(name)) {
      return ResidualNetworks.spec(config);
    }
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
    if (config.architecture().whitens()) {
      checkWhitening(layers.get(0), config.name());
    }
    if ("recon".equals(config.losses().lossUnsup())) {
      layers.forEach(Networks::checkReconstruction);
    }
    return layers;
  }

  /**
   * Which blocks a block needs to be computed: those that it reads, directly or through others, and itself.
   *
   * @param position of the block
   */
  public static boolean[] needed(List<LayerSpec> layers, int position) {
    boolean[] needed = new boolean[layers.size()];
    needed[position] = true;
    for (int i = position; i >= 0; i--) {
      LayerSpec layer = layers.get(i);
      if (needed[i] && layer.input() != LayerSpec.IMAGES) {
        needed[layer.input()] = true;
      }
      if (needed[i] && layer.joinsShortcut() && layer.shortcut() != LayerSpec.IMAGES) {
        needed[layer.shortcut()] = true;
      }
    }
    return needed;
  }

  /**
   * The numbers by which users ask for layers: hidden blocks with a loss are counted from 1 on.
   *
   * @return one for each layer; 0 for the output layer, projections on shortcuts and pooling heads
   */
  public static int[] numbers(List<LayerSpec> layers) {
    int[] numbers = new int[layers.size()];
    int number = 0;
    for (int i = 0; i < numbers.length; i++) {
      boolean counted = layers.get(i).hasLoss() && layers.get(i).kind() != LayerSpec.Kind.OUTPUT;
      numbers[i] = counted ? ++number : 0;
    }
    return numbers;
  }

  /**
   * Finds a layer.
   *
   * @param nameOrNumber its name, or its number as {@link #numbers} counts
   * @return its position
   * @throws ModelException if there is none; the message lists those that there are
   */
  public static int position(List<LayerSpec> layers, String nameOrNumber) {
    int[] numbers = numbers(layers);
    List<String> known = new ArrayList<>();
    for (int i = 0; i < numbers.length; i++) {
      String name = layers.get(i).name();
      if (name.equals(nameOrNumber) || (numbers[i] > 0 && Integer.toString(numbers[i]).equals(nameOrNumber))) {
        return i;
      }
      known.add((numbers[i] > 0 ? numbers[i] + " " : "") + name);
    }
    throw new ModelException("the model has no layer '" + nameOrNumber + "'; it has " + String.join(", ", known));
  }

  /** The reconstruction loss undoes a convolution by one transposed convolution of the same size. */
  private static void checkReconstruction(LayerSpec layer) {
    require(
        !layer.hasLoss() || layer.stride() == 1 || layer.input() == LayerSpec.IMAGES,
        layer.name() + ": the reconstruction loss cannot rebuild the input of a convolution of stride " + layer.stride()
            + "; choose the unsupervised loss sim, or a network without strides");
  }

  private static void checkWhitening(LayerSpec first, String network) {
    boolean convolvesImages =
        first.input() == LayerSpec.IMAGES && first.kernel() > 1
            && (first.kind() == LayerSpec.Kind.CONVOLUTION
                || (first.kind() == LayerSpec.Kind.PREACTIVATION && !first.block().normalizeInput()));
    require(
        convolvesImages,
        "whitening is for networks whose first layer is a convolution of the images with a kernel larger than 1×1; "
            + network + " begins with " + first.name() + " (" + first.kind() + ")");
    int values = first.inChannels() * first.kernel() * first.kernel();
    require(
        values <= MOST_WHITENED && first.kernel() <= Math.min(first.inHeight(), first.inWidth()),
        first.name() + ": whitening takes patches inside the images, of at most " + MOST_WHITENED + " values; a kernel of "
            + first.kernel() + "×" + first.kernel() + " sees " + values);
  }

  private static void require(boolean condition, String message) {
    if (!condition) {
      throw new ModelException(message);
    }
  }
}
