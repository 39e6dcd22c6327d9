package dev.layerwise.model;

import dev.layerwise.nativelib.BlockConfig;
import dev.layerwise.nativelib.BlockKind;
import dev.layerwise.nativelib.Loss;
import dev.layerwise.nativelib.UnsupervisedLoss;
import dev.layerwise.settings.Optimizer;
import java.util.List;
import java.util.Locale;

/** What the native library is told about a network's blocks. */
final class BlockConfigs {
  private final ModelConfig config;
  private final List<LayerSpec> layers;
  private final Optimizer optimizer;

  BlockConfigs(ModelConfig config, List<LayerSpec> layers, Optimizer optimizer) {
    this.config = config;
    this.layers = layers;
    this.optimizer = optimizer;
  }

  /** Of the block at a position, which keys its random numbers. */
  BlockConfig of(int index) {
    LayerSpec layer = layers.get(index);
    BlockConfig.Builder builder =
        BlockConfig.builder(layer.name(), BlockKind.valueOf(layer.kind().name()))
            .index(index)
            .input(layer.inChannels(), layer.inHeight(), layer.inWidth())
            .outChannels(layer.outChannels())
            .convolution(layer.kernel(), layer.stride(), layer.padding())
            .maxPool(layer.maxPool())
            .optimizer(dev.layerwise.nativelib.Optimizer.valueOf(optimizer.optim().toUpperCase(Locale.ROOT)))
            .momentum(optimizer.momentum())
            .weightDecay(optimizer.weightDecay());
    BlockSpec block = layer.block();
    switch (layer.kind()) {
      case CONVOLUTION, LINEAR, PREACTIVATION -> hidden(builder, index);
      case SHORTCUT ->
          builder.bias(block.bias()).batchNorm(block.batchNorm() && config.architecture().batchNorm()).loss(Loss.NONE);
      case HEAD ->
          builder
              .batchNorm(block.batchNorm() && config.architecture().batchNorm())
              .negativeSlope(block.relu() ? 0 : 1) // 1: no nonlinearity
              .averagePool(block.averagePool())
              .affine(block.affine() && config.losses().backprop()) // nothing flows back to it under local losses
              .normMomentum(block.normMomentum())
              .loss(Loss.NONE);
      case OUTPUT ->
          builder
              .classes(config.classes())
              .lossScale(config.losses().outputLossScale())
              .zeroStart(block.zeroStart() && !config.losses().backprop());
    }
    return builder.build();
  }

  private void hidden(BlockConfig.Builder builder, int index) {
    BlockSpec block = layers.get(index).block();
    boolean normalizes = !Boolean.FALSE.equals(block.normalizeInput());
    builder
        .bias(block.bias())
        .batchNorm(config.architecture().batchNorm())
        .normalizeInput(normalizes)
        .negativeSlope(config.architecture().negativeSlope())
        .dropout(block.dropout() && normalizes ? config.architecture().dropout() : 0)
        .inputDropout(Boolean.TRUE.equals(block.inputDropout()) ? config.architecture().dropout() : 0)
        .loss(config.losses().backprop() ? Loss.NONE : Loss.valueOf(config.losses().loss().toUpperCase(Locale.ROOT)))
        .beta(config.losses().beta())
        .similarityStd(config.losses().similarityStd())
        .dimInDecoder(config.losses().dimInDecoder())
        .classes(config.classes())
        .unsupervised(unsupervised(layers.get(index)), config.losses().alpha())
        .bio(config.losses().bio(), config.losses().targetProjSize());
  }

  /**
   * The reconstruction loss spares the blocks that read the images, linear blocks behind feature maps, and
   * convolutions that do not keep the size of their map.
   */
  private UnsupervisedLoss unsupervised(LayerSpec layer) {
    UnsupervisedLoss loss = UnsupervisedLoss.valueOf(config.losses().lossUnsup().toUpperCase(Locale.ROOT));
    return loss == UnsupervisedLoss.RECON && !reconstructs(layer) ? UnsupervisedLoss.NONE : loss;
  }

  private boolean reconstructs(LayerSpec layer) {
    if (layer.input() == LayerSpec.IMAGES) {
      return false;
    }
    if (layer.kind() == LayerSpec.Kind.LINEAR) {
      return layers.get(layer.input()).kind() == LayerSpec.Kind.LINEAR;
    }
    return layer.stride() == 1 && layer.kernel() == 2 * layer.padding() + 1;
  }
}
