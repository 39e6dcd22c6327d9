package dev.layerwise.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Descriptions of the mlp and of the VGGs. */
final class VggNetworks {
  static final String MLP = "mlp";

  /** Output channels of the 3×3 convolutions; M is 2×2 max-pooling behind the one before it. */
  private static final Map<String, String> FEATURES = new LinkedHashMap<>();

  static {
    FEATURES.put("vgg6a", "128 M 256 M 512 M 512");
    FEATURES.put("vgg6b", "128 M 256 M 512 M 512 M");
    FEATURES.put("vgg8", "64 M 128 M 256 M 512 M 512 M");
    FEATURES.put("vgg8a", "128 256 M 256 512 M 512 M 512");
    FEATURES.put("vgg8b", "128 256 M 256 512 M 512 M 512 M");
    FEATURES.put("vgg11", "64 M 128 M 256 256 M 512 512 M 512 512 M");
    FEATURES.put("vgg11b", "128 128 128 256 M 256 512 M 512 512 M 512 M");
    FEATURES.put("vgg13", "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M");
    FEATURES.put("vgg16", "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M");
    FEATURES.put("vgg19", "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M");
  }

  /** Images with a longer side than this get a 7×7 stride-2 first convolution. */
  private static final int LARGE_IMAGE = 64;

  private VggNetworks() {}

  static List<String> names() {
    List<String> names = new ArrayList<>();
    names.add(MLP);
    names.addAll(FEATURES.keySet());
    return names;
  }

  static String origin(String name) {
    return List.of("vgg11", "vgg13", "vgg16", "vgg19").contains(name)
        ? "Simonyan & Zisserman 2015, with batch norm" : "Nøkland & Eidnes 2019";
  }

  /** The description of one of {@link #names()}. */
  static NetworkSpec spec(ModelConfig config) {
    List<BlockSpec> blocks = new ArrayList<>();
    if (config.name().equals(MLP)) {
      addLinear(blocks, "layers.", config);
      blocks.add(output("layer_out", config));
      return new NetworkSpec(blocks);
    }
    addConvolutions(blocks, FEATURES.get(config.name()).split(" "), config);
    addLinear(blocks, "classifier.layers.", config);
    blocks.add(output(config.architecture().numLayers() == 0 ? "classifier" : "classifier.layer_out", config));
    return new NetworkSpec(blocks);
  }

  private static void addConvolutions(List<BlockSpec> blocks, String[] features, ModelConfig config) {
    boolean large = config.images().side() > LARGE_IMAGE;
    for (int i = 0; i < features.length; i++) {
      if (features[i].equals("M")) {
        continue; // belongs to the block before it; counts in the names
      }
      boolean wide = large && i == 0;
      blocks.add(
          BlockSpec.builder(LayerSpec.Kind.CONVOLUTION, "features." + i)
              .channels(NetworkSpec.channels(Integer.parseInt(features[i]), config.architecture().featMult()))
              .kernel(wide ? 7 : 3, wide ? 2 : 1)
              .pool(i + 1 < features.length && features[i + 1].equals("M"))
              .build());
    }
  }

  private static void addLinear(List<BlockSpec> blocks, String prefix, ModelConfig config) {
    for (int i = 0; i < config.architecture().numLayers(); i++) {
      blocks.add(BlockSpec.builder(LayerSpec.Kind.LINEAR, prefix + i).units(config.architecture().numHidden()).build());
    }
  }

  /** Without hidden linear blocks the published code leaves the output layer at its default initialization. */
  private static BlockSpec output(String name, ModelConfig config) {
    return BlockSpec.builder(LayerSpec.Kind.OUTPUT, name).zeroStart(config.architecture().numLayers() > 0).build();
  }
}
