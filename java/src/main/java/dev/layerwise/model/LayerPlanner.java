package dev.layerwise.model;

import dev.layerwise.model.LayerSpec.Kind;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Follows an image through a description: resolves which block reads which, infers all sizes, and refuses
 * what cannot work with a message that begins with the block's name.
 */
final class LayerPlanner {
  static final int MOST_BLOCKS = 10_000;
  private static final int MOST_CHANNELS = 1_000_000;
  private static final int LARGEST_KERNEL = 255;
  private static final Pattern NAME = Pattern.compile("[A-Za-z_][A-Za-z0-9_.-]{0,99}");

  /** Begins the names of optimizer state in checkpoints. */
  private static final String RESERVED = "optimizer";

  private final ModelConfig config;
  private final List<LayerSpec> layers = new ArrayList<>();
  private final Map<String, Integer> positions = new HashMap<>();
  /** All names, those of later blocks too: so that messages can say that a reference points forward. */
  private final Set<String> names = new HashSet<>();

  private LayerPlanner(ModelConfig config) {
    this.config = config;
  }

  /** What passes from block to block, per image. */
  private record Shape(int channels, int height, int width) {
    long elements() {
      return (long) channels * height * width;
    }

    @Override
    public String toString() {
      return channels + "×" + height + "×" + width;
    }
  }

  /**
   * The blocks with all their sizes.
   *
   * @throws ModelException that names the block which cannot be as it is described
   */
  static List<LayerSpec> plan(NetworkSpec network, ModelConfig config) {
    return new LayerPlanner(config).plan(network.blocks());
  }

  private List<LayerSpec> plan(List<BlockSpec> blocks) {
    require(!blocks.isEmpty(), config.name() + " has no blocks; it needs at least an output layer");
    require(blocks.size() <= MOST_BLOCKS, config.name() + " has more than " + MOST_BLOCKS + " blocks");
    for (BlockSpec block : blocks) {
      checkName(block);
    }
    checkPrefixes();
    for (BlockSpec block : blocks) {
      int at = layers.size();
      layers.add(layer(block, at));
      positions.put(block.name(), at);
    }
    LayerSpec last = layers.get(layers.size() - 1);
    require(
        last.kind() == Kind.OUTPUT,
        config.name() + " has no output layer; its last block must be one, not " + last.name());
    checkReaders();
    Integer together = config.losses().blocksPerLoss();
    return LossGroups.of(layers, together == null ? 1 : together);
  }

  private void checkName(BlockSpec block) {
    require(block != null && block.name() != null && block.kind() != null, "every block needs a name and a kind");
    String name = block.name();
    require(
        NAME.matcher(name).matches(),
        "'" + name + "' cannot name a block: a name has letters, digits and . _ - only, begins with a letter, and is"
            + " at most 100 long");
    require(
        !name.equals(NetworkSpec.IMAGES) && !name.equals(RESERVED) && !name.startsWith(RESERVED + "."),
        name + ": that name is taken (" + NetworkSpec.IMAGES + ": the network's input; " + RESERVED
            + ": checkpoints); choose another");
    require(names.add(name), name + ": there are two blocks of that name");
  }

  /** "a" and "a.b" could both have a tensor "a.b.weight". */
  private void checkPrefixes() {
    for (String name : names) {
      for (int dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
        String beginning = name.substring(0, dot);
        require(
            !names.contains(beginning),
            name + ": the name begins with that of the block '" + beginning + "', so that their tensors cannot be told"
                + " apart");
      }
    }
  }

  private LayerSpec layer(BlockSpec described, int at) {
    String name = described.name();
    if (at > 0) {
      LayerSpec before = layers.get(at - 1);
      check(
          before.kind() != Kind.OUTPUT, name, "it comes after the output layer '%s', which must be the last",
          before.name());
    }
    String misplaced = BlockFields.misplaced(described);
    check(
        misplaced == null, name, "a block of kind %s has no '%s'; it takes %s", described.kind(), misplaced,
        String.join(", ", BlockFields.of(described.kind())));
    BlockSpec block = BlockFields.complete(described);
    checkNumbers(block);
    int input = block.input() == null ? usualInput(at) : reference(block, "input", block.input());
    check(
        input == LayerSpec.IMAGES || layers.get(input).kind() != Kind.SHORTCUT, name,
        "it reads '%s', which is a shortcut; a shortcut's output is only added, by the block that names it as its shortcut",
        block.input());
    Shape in = shape(input);
    Shape out = outputShape(block, in);
    Integer shortcut = block.shortcut() == null ? null : reference(block, "shortcut", block.shortcut());
    if (shortcut != null) {
      Shape sum = convolved(block, in);
      check(
          shape(shortcut).equals(sum), name, "its map is %s, but the shortcut '%s' brings %s; give that a projection"
              + " (kind shortcut) of the same channels and stride", sum, block.shortcut(), shape(shortcut));
    }
    return new LayerSpec(
        block, input, shortcut, in.channels, in.height, in.width, out.channels, out.height, out.width, at, false);
  }

  private void checkNumbers(BlockSpec block) {
    switch (block.kind()) {
      case CONVOLUTION, PREACTIVATION, SHORTCUT -> {
        within(block, "channels", block.channels(), 1, MOST_CHANNELS);
        within(block, "kernel", block.kernel(), 1, LARGEST_KERNEL);
        within(block, "stride", block.stride(), 1, LARGEST_KERNEL);
        within(block, "padding", block.padding(), 0, block.kernel() - 1);
      }
      case LINEAR -> within(block, "units", block.units(), 1, MOST_CHANNELS);
      case HEAD -> {
        within(block, "average_pool", block.averagePool(), 1, Integer.MAX_VALUE);
        check(
            block.averagePool() == 1 || !block.pool(), block.name(), "it has either pool or average_pool, not both");
        double momentum = block.normMomentum();
        check(momentum > 0 && momentum <= 1, block.name(), "norm_momentum must be above 0 and at most 1, not %s", momentum);
      }
      case OUTPUT -> { }
    }
    check(
        config.architecture().batchNorm() || block.kind() != Kind.PREACTIVATION, block.name(),
        "a preactivation block begins with batch norm; it cannot be trained without");
  }

  private static void within(BlockSpec block, String field, Integer value, int least, int most) {
    check(value != null, block.name(), "a block of kind %s needs its %s", block.kind(), field);
    check(value >= least && value <= most, block.name(), "%s must be in %d … %d, not %d", field, least, most, value);
  }

  /** The block before, shortcuts left out. */
  private int usualInput(int at) {
    int before = at - 1;
    while (before >= 0 && layers.get(before).kind() == Kind.SHORTCUT) {
      before--;
    }
    return before;
  }

  private int reference(BlockSpec block, String field, String target) {
    if (target.equals(NetworkSpec.IMAGES)) {
      return LayerSpec.IMAGES;
    }
    check(names.contains(target), block.name(), "its %s is '%s', but there is no block of that name", field, target);
    Integer position = positions.get(target);
    check(
        position != null, block.name(), "its %s is '%s', which does not stand before it; a network has no cycles", field,
        target);
    return position;
  }

  private Shape shape(int position) {
    if (position == LayerSpec.IMAGES) {
      return new Shape(config.images().channels(), config.images().height(), config.images().width());
    }
    LayerSpec layer = layers.get(position);
    return new Shape(layer.outChannels(), layer.outHeight(), layer.outWidth());
  }

  private Shape outputShape(BlockSpec block, Shape in) {
    Shape out =
        switch (block.kind()) {
          case CONVOLUTION, PREACTIVATION, SHORTCUT -> convolved(block, in);
          case LINEAR -> new Shape(block.units(), 1, 1);
          case OUTPUT -> new Shape(config.classes(), 1, 1);
          case HEAD -> averaged(block, in);
        };
    if (Boolean.TRUE.equals(block.pool())) {
      require(
          out.height >= 2 && out.width >= 2,
          String.format(
              Locale.ROOT, "%s is too deep for %d×%d images: after %s the map is %d×%d, and pooling it leaves nothing;"
                  + " choose a network with fewer poolings or mlp",
              config.name(), config.images().height(), config.images().width(), block.name(), out.height, out.width));
      out = new Shape(out.channels, out.height / 2, out.width / 2);
    }
    long weights = weights(block, in);
    // The most that fits a Java array, which weights pass through on their way to files.
    check(weights <= Integer.MAX_VALUE - 8, block.name(), "it would have %d weights, more than can be stored", weights);
    check(out.elements() <= Integer.MAX_VALUE - 8, block.name(), "its output of %s is too large", out);
    return out;
  }

  private Shape convolved(BlockSpec block, Shape in) {
    int height = LayerSpec.convolved(in.height, block.kernel(), block.stride(), block.padding());
    int width = LayerSpec.convolved(in.width, block.kernel(), block.stride(), block.padding());
    check(
        height > 0 && width > 0, block.name(), "a kernel of %d×%d does not fit into its input of %s", block.kernel(),
        block.kernel(), in);
    return new Shape(block.channels(), height, width);
  }

  private static Shape averaged(BlockSpec block, Shape in) {
    int side = block.averagePool();
    check(
        in.height >= side && in.width >= side, block.name(), "an average over %d×%d positions does not fit its input of %s",
        side, side, in);
    return new Shape(in.channels, in.height / side, in.width / side);
  }

  private long weights(BlockSpec block, Shape in) {
    return switch (block.kind()) {
      case CONVOLUTION, PREACTIVATION, SHORTCUT -> product(block.channels(), in.channels, block.kernel(), block.kernel());
      case LINEAR -> product(block.units(), in.elements());
      case OUTPUT -> product(config.classes(), in.elements());
      case HEAD -> 0;
    };
  }

  /** The product, or the largest number where there is none. */
  private static long product(long... factors) {
    long product = 1;
    for (long factor : factors) {
      product = product > Long.MAX_VALUE / factor ? Long.MAX_VALUE : product * factor;
    }
    return product;
  }

  /** Every block must lead somewhere, and a projection to one sum, whose gradient it takes. */
  private void checkReaders() {
    int[] inputs = new int[layers.size()];
    int[] sums = new int[layers.size()];
    for (LayerSpec layer : layers) {
      if (layer.input() != LayerSpec.IMAGES) {
        inputs[layer.input()]++;
      }
      if (layer.joinsShortcut() && layer.shortcut() != LayerSpec.IMAGES) {
        sums[layer.shortcut()]++;
      }
    }
    for (int i = 0; i < layers.size() - 1; i++) {
      LayerSpec layer = layers.get(i);
      check(inputs[i] + sums[i] > 0, layer.name(), "no block reads it; remove it, or name it as another's input or shortcut");
      check(
          layer.kind() != Kind.SHORTCUT || sums[i] == 1, layer.name(),
          "%d blocks add this shortcut, but it is trained by the loss of one; give each its own", sums[i]);
    }
  }

  private static void check(boolean condition, String block, String message, Object... arguments) {
    if (!condition) {
      throw new ModelException(block + ": " + String.format(Locale.ROOT, message, arguments));
    }
  }

  private static void require(boolean condition, String message) {
    if (!condition) {
      throw new ModelException(message);
    }
  }
}
