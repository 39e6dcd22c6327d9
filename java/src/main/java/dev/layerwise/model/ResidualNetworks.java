package dev.layerwise.model;

import dev.layerwise.model.LayerSpec.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Descriptions of the residual networks: ResNets, before or after activation, and Wide ResNets. */
final class ResidualNetworks {
  /**
   * A ResNet.
   *
   * @param bottleneck 1×1, 3×3 and 1×1 convolutions instead of two of 3×3
   * @param counts residual blocks in each stage
   */
  private record ResNet(boolean bottleneck, int... counts) {}

  /**
   * A Wide ResNet.
   *
   * @param depth 6 · (residual blocks in a stage) + 4
   * @param width factor of the stages' 16, 32 and 64 channels
   * @param adapted to local losses: a wide first block, channel dropout, and max-pooling at the end
   */
  private record WideResNet(int depth, int width, boolean adapted) {}

  private static final Map<String, ResNet> RESNETS = new LinkedHashMap<>();
  private static final Map<String, WideResNet> WIDE_RESNETS = new LinkedHashMap<>();

  static {
    RESNETS.put("resnet18", new ResNet(false, 2, 2, 2, 2));
    RESNETS.put("resnet34", new ResNet(false, 3, 4, 6, 3));
    RESNETS.put("resnet50", new ResNet(true, 3, 4, 6, 3));
    RESNETS.put("resnet101", new ResNet(true, 3, 4, 23, 3));
    RESNETS.put("resnet152", new ResNet(true, 3, 8, 36, 3));
    for (int[] size : new int[][] {{10, 8}, {16, 4}, {16, 8}, {28, 10}, {40, 10}}) {
      String name = "wresnet" + size[0] + "-" + size[1];
      WIDE_RESNETS.put(name, new WideResNet(size[0], size[1], false));
      WIDE_RESNETS.put(name + "-adapted", new WideResNet(size[0], size[1], true));
    }
  }

  /** How many times its planes a bottleneck's output has. */
  private static final int EXPANSION = 4;

  /** A stage begins with this stride; those of a Wide ResNet are its first three. */
  private static final int[] STAGE_STRIDES = {1, 2, 2, 2};

  private final List<BlockSpec> blocks = new ArrayList<>();
  /** Kind of the convolution blocks. */
  private final Kind kind;
  private final boolean bias;
  private final boolean blockDropout;
  /** Name and channels of the block before. */
  private String last;
  private int channels;

  private ResidualNetworks(Kind kind, boolean bias, boolean blockDropout) {
    this.kind = kind;
    this.bias = bias;
    this.blockDropout = blockDropout;
  }

  static List<String> names() {
    List<String> names = new ArrayList<>(RESNETS.keySet());
    names.addAll(WIDE_RESNETS.keySet());
    return names;
  }

  static String origin(String name) {
    return isResNet(name) ? "He et al. 2016, for small images"
        : name.endsWith("-adapted") ? "Zagoruyko & Komodakis 2016, adapted to local losses" : "Zagoruyko & Komodakis 2016";
  }

  static boolean isResNet(String name) {
    return RESNETS.containsKey(name);
  }

  static boolean isWideResNet(String name) {
    return WIDE_RESNETS.containsKey(name);
  }

  /** The description of one of {@link #names()}. */
  static NetworkSpec spec(ModelConfig config) {
    WideResNet wide = WIDE_RESNETS.get(config.name());
    return new NetworkSpec(wide == null ? resNet(RESNETS.get(config.name()), config) : wideResNet(wide));
  }

  private static List<BlockSpec> resNet(ResNet network, ModelConfig config) {
    Kind kind = config.architecture().preAct() ? Kind.PREACTIVATION : Kind.CONVOLUTION;
    ResidualNetworks builder = new ResidualNetworks(kind, false, true);
    builder.first(NetworkSpec.channels(64, config.architecture().featMult()));
    for (int stage = 0; stage < network.counts.length; stage++) {
      int planes = NetworkSpec.channels(64 << stage, config.architecture().featMult());
      for (int i = 0; i < network.counts[stage]; i++) {
        String prefix = "layer" + (stage + 1) + "." + i + ".";
        int stride = i == 0 ? STAGE_STRIDES[stage] : 1;
        if (network.bottleneck) {
          builder.bottleneck(prefix, planes, stride);
        } else {
          builder.basic(prefix, planes, stride);
        }
      }
    }
    builder.blocks.add(BlockSpec.builder(Kind.HEAD, "pool").averagePool(4).build());
    return builder.withOutput();
  }

  private static List<BlockSpec> wideResNet(WideResNet network) {
    ResidualNetworks builder = new ResidualNetworks(Kind.PREACTIVATION, true, network.adapted);
    builder.first(network.adapted ? 16 * network.width : 16);
    for (int stage = 0; stage < 3; stage++) {
      for (int i = 0; i < (network.depth - 4) / 6; i++) {
        String prefix = "layer" + (stage + 1) + "." + i + ".";
        builder.wide(prefix, (16 << stage) * network.width, i == 0 ? STAGE_STRIDES[stage] : 1, !network.adapted);
      }
    }
    BlockSpec.Builder head = BlockSpec.builder(Kind.HEAD, "bn1").batchNorm(true).relu(true).normMomentum(0.9);
    builder.blocks.add((network.adapted ? head.pool(true) : head.averagePool(8)).build());
    return builder.withOutput();
  }

  /** The block before the stages; in a pre-activation network it returns its convolution's plain output. */
  private void first(int planes) {
    BlockSpec.Builder block = convolution("conv1", planes, 3, 1);
    if (kind == Kind.PREACTIVATION) {
      block.normalizeInput(false);
    }
    add(block, planes);
  }

  private void basic(String prefix, int planes, int stride) {
    String raw = last;
    int rawChannels = channels;
    add(convolution(prefix + "conv1", planes, 3, stride), planes);
    BlockSpec.Builder second = convolution(prefix + "conv2", planes, 3, 1);
    join(second, prefix, raw, rawChannels, planes, stride, true);
    add(second, planes);
  }

  private void bottleneck(String prefix, int planes, int stride) {
    String raw = last;
    int rawChannels = channels;
    add(convolution(prefix + "conv1", planes, 1, 1), planes);
    add(convolution(prefix + "conv2", planes, 3, stride), planes);
    int outer = Math.multiplyExact(EXPANSION, planes);
    BlockSpec.Builder third = convolution(prefix + "conv3", outer, 1, 1);
    join(third, prefix, raw, rawChannels, outer, stride, true);
    add(third, outer);
  }

  private void wide(String prefix, int planes, int stride, boolean dropoutBetween) {
    String raw = last;
    int rawChannels = channels;
    add(convolution(prefix + "conv1", planes, 3, 1), planes);
    BlockSpec.Builder second = convolution(prefix + "conv2", planes, 3, stride).inputDropout(dropoutBetween);
    join(second, prefix, raw, rawChannels, planes, stride, false);
    add(second, planes);
  }

  private BlockSpec.Builder convolution(String name, int planes, int kernel, int stride) {
    return BlockSpec.builder(kind, name).channels(planes).kernel(kernel, stride).bias(bias).dropout(blockDropout);
  }

  /** Adds a residual block's raw input to its last convolution, through a projection where sizes change. */
  private void join(
      BlockSpec.Builder block, String prefix, String raw, int rawChannels, int planes, int stride, boolean norm) {
    if (stride == 1 && rawChannels == planes) {
      block.shortcut(raw);
      return;
    }
    String projection = prefix + "shortcut";
    blocks.add(
        BlockSpec.builder(Kind.SHORTCUT, projection)
            .input(raw)
            .channels(planes)
            .kernel(1, stride)
            .bias(bias)
            .batchNorm(norm)
            .build());
    block.shortcut(projection);
  }

  private void add(BlockSpec.Builder block, int outChannels) {
    BlockSpec built = block.build();
    blocks.add(built);
    last = built.name();
    channels = outChannels;
  }

  private List<BlockSpec> withOutput() {
    blocks.add(BlockSpec.builder(Kind.OUTPUT, "linear").build());
    return blocks;
  }
}
