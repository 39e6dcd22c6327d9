package dev.layerwise.model;

import dev.layerwise.model.LayerSpec.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The published networks, by name. */
public final class Networks {
  /** Output channels of the 3×3 convolutions; M is 2×2 max-pooling behind the one before it. */
  private static final Map<String, String> VGG_FEATURES = new LinkedHashMap<>();

  static {
    VGG_FEATURES.put("vgg6a", "128 M 256 M 512 M 512");
    VGG_FEATURES.put("vgg6b", "128 M 256 M 512 M 512 M");
    VGG_FEATURES.put("vgg8", "64 M 128 M 256 M 512 M 512 M");
    VGG_FEATURES.put("vgg8a", "128 256 M 256 512 M 512 M 512");
    VGG_FEATURES.put("vgg8b", "128 256 M 256 512 M 512 M 512 M");
    VGG_FEATURES.put("vgg11", "64 M 128 M 256 256 M 512 512 M 512 512 M");
    VGG_FEATURES.put("vgg11b", "128 128 128 256 M 256 512 M 512 512 M 512 M");
    VGG_FEATURES.put("vgg13", "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M");
    VGG_FEATURES.put("vgg16", "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M");
    VGG_FEATURES.put("vgg19", "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M");
  }

  /** Images with a longer side than this get a 7×7 stride-2 first convolution. */
  private static final int LARGE_IMAGE = 64;

  private Networks() {}

  /** The names that {@link #layers} knows. */
  public static List<String> names() {
    List<String> names = new ArrayList<>();
    names.add("mlp");
    names.addAll(VGG_FEATURES.keySet());
    return names;
  }

  /**
   * The blocks of a network in the order in which an image passes them; the last is the output layer.
   *
   * @throws ModelException for an unknown name, sizes that are not positive, or a feature map that
   *     shrinks to nothing
   */
  public static List<LayerSpec> layers(ModelConfig config) {
    require(config.numLayers() >= 0, "the number of hidden layers must not be negative, but is " + config.numLayers());
    require(config.numHidden() > 0, "the number of hidden units must be positive, not " + config.numHidden());
    require(config.classes() >= 2, "a network needs at least 2 classes, not " + config.classes());
    Builder builder = new Builder(config);
    if (config.model().equals("mlp")) {
      builder.linearBlocks("layers.");
      builder.output("layer_out");
      return builder.layers;
    }
    String features = VGG_FEATURES.get(config.model());
    require(features != null, "there is no network '" + config.model() + "'; there are: " + String.join(", ", names()));
    builder.convolutionBlocks(features);
    builder.linearBlocks("classifier.layers.");
    builder.output(config.numLayers() == 0 ? "classifier" : "classifier.layer_out");
    return builder.layers;
  }

  private static void require(boolean condition, String message) {
    if (!condition) {
      throw new ModelException(message);
    }
  }

  /** Appends blocks and follows the shape of what passes between them. */
  private static final class Builder {
    private final ModelConfig config;
    private final List<LayerSpec> layers = new ArrayList<>();
    private int channels;
    private int height;
    private int width;

    Builder(ModelConfig config) {
      this.config = config;
      channels = config.inputChannels();
      height = config.inputHeight();
      width = config.inputWidth();
    }

    void convolutionBlocks(String features) {
      String[] tokens = features.split(" ");
      for (int i = 0; i < tokens.length; i++) {
        if (tokens[i].equals("M")) {
          continue; // belongs to the block before it; counts in the names
        }
        int outChannels = (int) (Integer.parseInt(tokens[i]) * config.featMult());
        require(outChannels > 0, "--feat-mult " + config.featMult() + " leaves a convolution without channels");
        boolean large = i == 0 && Math.max(height, width) > LARGE_IMAGE;
        boolean pool = i + 1 < tokens.length && tokens[i + 1].equals("M");
        convolution("features." + i, outChannels, large ? 7 : 3, large ? 2 : 1, large ? 3 : 1, pool);
      }
    }

    private void convolution(String name, int outChannels, int kernel, int stride, int padding, boolean pool) {
      layers.add(
          new LayerSpec(name, Kind.CONVOLUTION, channels, height, width, outChannels, kernel, stride, padding, pool));
      channels = outChannels;
      height = (height + 2 * padding - kernel) / stride + 1;
      width = (width + 2 * padding - kernel) / stride + 1;
      if (pool) {
        require(
            height >= 2 && width >= 2,
            String.format(
                "%s is too deep for %d×%d images: behind %s the map is %d×%d, and pooling it leaves nothing;"
                    + " choose a network with fewer poolings or mlp",
                config.model(), config.inputHeight(), config.inputWidth(), name, height, width));
        height /= 2;
        width /= 2;
      }
    }

    void linearBlocks(String prefix) {
      for (int i = 0; i < config.numLayers(); i++) {
        layers.add(flat(prefix + i, Kind.LINEAR, config.numHidden()));
        channels = config.numHidden();
        height = 1;
        width = 1;
      }
    }

    void output(String name) {
      layers.add(flat(name, Kind.OUTPUT, config.classes()));
    }

    private LayerSpec flat(String name, Kind kind, int units) {
      return new LayerSpec(name, kind, channels, height, width, units, 1, 1, 0, false);
    }
  }
}
