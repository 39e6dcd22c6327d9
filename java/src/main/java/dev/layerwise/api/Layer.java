package dev.layerwise.api;

import dev.layerwise.model.LayerSpec;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.Networks;
import java.util.ArrayList;
import java.util.List;

/**
 * A block of a model.
 *
 * @param number counts the hidden blocks that learn from a loss of their own (under backpropagation: that would), from
 *     1 on; 0 for the output layer, projections on shortcuts and pooling heads
 * @param name by which it can be asked for: {@code features.3}
 * @param kind as network descriptions write it: {@code conv}, {@code linear}, {@code preactivation}, {@code shortcut},
 *     {@code head}, {@code output}
 * @param channels of its output; units of a linear block, classes of the output layer
 * @param height of its output, in positions; 1 behind linear blocks
 * @param width of its output, in positions
 * @param classifies whether {@link Model#classify} can stop there
 */
public record Layer(
    int number, String name, String kind, int channels, int height, int width, boolean classifies) {

  static List<Layer> listOf(List<LayerSpec> specs, ModelConfig config) {
    List<Layer> layers = new ArrayList<>();
    int[] numbers = Networks.numbers(specs);
    for (int i = 0; i < numbers.length; i++) {
      LayerSpec layer = specs.get(i);
      boolean output = layer.kind() == LayerSpec.Kind.OUTPUT;
      layers.add(
          new Layer(
              numbers[i], layer.name(), layer.kind().toString(), layer.outChannels(), layer.outHeight(),
              layer.outWidth(), output || (numbers[i] > 0 && config.losses().hasLocalClassifiers())));
    }
    return List.copyOf(layers);
  }

  /**
   * Numbers that {@link Model#features} gives per image.
   *
   * @return channels · height · width
   */
  public int features() {
    return channels * height * width;
  }
}
