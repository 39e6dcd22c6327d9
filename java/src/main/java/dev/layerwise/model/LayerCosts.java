package dev.layerwise.model;

import dev.layerwise.nativelib.TensorInfo;
import dev.layerwise.nativelib.generated.LayerwiseApi.TensorRole;
import java.util.Arrays;

/**
 * What a block costs. A multiplication and an addition are two operations; batch norm, nonlinearity and pooling, which
 * are few beside the rest, are not counted.
 *
 * @param parameters that prediction needs
 * @param localParameters those of the local loss
 * @param flops of one image's way through the block
 * @param localClassifierFlops of one image's way from the block's output through its local classifier; 0 without one
 */
public record LayerCosts(long parameters, long localParameters, long flops, long localClassifierFlops) {
  /** Of the block at a position of a network. */
  public static LayerCosts of(DeviceNetwork network, int position) {
    LayerSpec layer = network.layers().get(position);
    long parameters = 0;
    long localParameters = 0;
    long classifierWeights = 0;
    for (TensorInfo tensor : network.tensors(position)) {
      if (tensor.role() != TensorRole.LAYERWISE_PARAMETER) {
        continue;
      }
      long count = Arrays.stream(tensor.shape()).reduce(1, (a, b) -> a * b);
      if (belongsToLoss(layer, tensor.name())) {
        localParameters += count;
      } else {
        parameters += count;
      }
      if (tensor.name().equals("decoder_y.weight")) {
        classifierWeights = count;
      }
    }
    long classifier = network.hasClassifier(layer) ? 2 * classifierWeights : 0;
    return new LayerCosts(parameters, localParameters, flops(layer), classifier);
  }

  /** The batch norm behind a preactivation block's sum is for its loss alone. */
  private static boolean belongsToLoss(LayerSpec layer, String tensor) {
    return tensor.startsWith("decoder_") || tensor.startsWith("conv_loss.") || tensor.startsWith("linear_loss.")
        || tensor.startsWith("proj_y.") || (layer.kind() == LayerSpec.Kind.PREACTIVATION && tensor.startsWith("bn."));
  }

  private static long flops(LayerSpec layer) {
    long inputs = layer.inChannels();
    return switch (layer.kind()) {
      case CONVOLUTION, PREACTIVATION, SHORTCUT -> {
        long side = layer.kernel();
        // Positions of the convolution's own output: pooling comes behind it.
        long height = layer.convolvedHeight();
        long width = layer.convolvedWidth();
        yield 2 * inputs * side * side * layer.outChannels() * height * width;
      }
      case LINEAR, OUTPUT -> 2 * inputs * layer.inHeight() * layer.inWidth() * layer.outChannels();
      case HEAD -> 0;
    };
  }
}
