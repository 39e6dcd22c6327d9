package dev.layerwise.model;

import dev.layerwise.nativelib.TensorInfo;
import dev.layerwise.nativelib.generated.LayerwiseApi.TensorRole;
import java.util.Arrays;
import java.util.List;

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

  /** The parameters that prediction needs, of a block that need not be on a device. */
  public static long parameters(LayerSpec layer, ModelConfig config) {
    BlockSpec block = layer.block();
    boolean normalizes = config.architecture().batchNorm();
    long bias = Boolean.FALSE.equals(block.bias()) ? 0 : layer.outChannels();
    long weights = weights(layer);
    return switch (layer.kind()) {
      case CONVOLUTION, LINEAR -> weights + bias + (normalizes ? 2L * layer.outChannels() : 0);
      case PREACTIVATION ->
          weights + bias + (normalizes && !Boolean.FALSE.equals(block.normalizeInput()) ? 2L * layer.inChannels() : 0);
      case SHORTCUT -> weights + bias + (normalizes && block.batchNorm() ? 2L * layer.outChannels() : 0);
      case HEAD ->
          normalizes && block.batchNorm() && block.affine() && config.losses().backprop() ? 2L * layer.outChannels() : 0;
      case OUTPUT -> weights + layer.outChannels();
    };
  }

  /** Flops of one image's way through a whole network, without the local classifiers. */
  public static long flops(DeviceNetwork network) {
    return network.layers().stream().mapToLong(LayerCosts::flops).sum();
  }

  /**
   * What it costs to ask one classifier after another.
   *
   * @return for each of {@link DeviceNetwork#classifiers} the flops of one image's way to its logits, those of the
   *     classifiers before it included
   */
  public static long[] flopsUntilClassifiers(DeviceNetwork network) {
    List<Integer> classifiers = network.classifiers();
    long[] flops = new long[classifiers.size()];
    long sum = 0;
    int next = 0;
    for (int i = 0; next < flops.length; i++) {
      LayerCosts costs = of(network, i);
      sum += costs.flops() + costs.localClassifierFlops();
      if (classifiers.get(next) == i) {
        flops[next++] = sum;
      }
    }
    return flops;
  }

  /** The batch norm behind a preactivation block's sum is for its loss alone. */
  private static boolean belongsToLoss(LayerSpec layer, String tensor) {
    return tensor.startsWith("decoder_") || tensor.startsWith("conv_loss.") || tensor.startsWith("linear_loss.")
        || tensor.startsWith("proj_y.") || (layer.kind() == LayerSpec.Kind.PREACTIVATION && tensor.startsWith("bn."));
  }

  /** Flops of one image's way through a block. */
  public static long flops(LayerSpec layer) {
    return switch (layer.kind()) {
      case CONVOLUTION, PREACTIVATION, SHORTCUT ->
          // Positions of the convolution's own output: pooling comes behind it.
          2 * weights(layer) * layer.convolvedHeight() * layer.convolvedWidth();
      case LINEAR, OUTPUT -> 2 * weights(layer);
      case HEAD -> 0;
    };
  }

  /** Of the convolution or the linear layer itself. */
  static long weights(LayerSpec layer) {
    long pairs = (long) layer.inChannels() * layer.outChannels();
    return switch (layer.kind()) {
      case CONVOLUTION, PREACTIVATION, SHORTCUT -> pairs * layer.kernel() * layer.kernel();
      case LINEAR, OUTPUT -> pairs * layer.inHeight() * layer.inWidth();
      case HEAD -> 0;
    };
  }
}
