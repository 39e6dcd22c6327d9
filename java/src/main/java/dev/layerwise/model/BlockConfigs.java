package dev.layerwise.model;

import dev.layerwise.nativelib.BlockConfig;
import dev.layerwise.nativelib.generated.BlockConfigStruct;
import dev.layerwise.nativelib.generated.LayerwiseApi.BlockKind;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Settings;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What the native library is told about a network's blocks. */
final class BlockConfigs {
  /** Settings of losses that are not a block's: they say how the network's steps are made of its blocks' steps. */
  private static final Set<String> NETWORK_SETTINGS = Set.of("backprop", "no_detach", "blocks_per_loss");

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
    BlockConfig blockConfig =
        new BlockConfig(layer.name(), BlockKind.valueOf("LAYERWISE_" + layer.kind().name()))
            .shapes(layer.inChannels(), layer.inHeight(), layer.inWidth(), layer.outChannels())
            .losses(Map.of("classes", config.classes()))
            .optimizer(Settings.values(optimizer));
    BlockConfigStruct fields = blockConfig.fields().index(index).max_pool(flag(layer.maxPool()));
    fields.geometry().kernel(layer.kernel()).stride(layer.stride()).padding(layer.padding());
    BlockSpec block = layer.block();
    boolean backprop = config.losses().backprop();
    switch (layer.kind()) {
      case CONVOLUTION, LINEAR, PREACTIVATION -> hidden(blockConfig, layer);
      case SHORTCUT -> {
        fields.bias(flag(block.bias())).batch_norm(flag(normalizes(block)));
        blockConfig.losses(Map.of("loss", "none"));
      }
      case HEAD -> {
        fields
            .batch_norm(flag(normalizes(block)))
            .negative_slope(block.relu() ? 0 : 1) // 1: no nonlinearity
            .average_pool(block.averagePool())
            .affine(flag(block.affine() && backprop)) // nothing flows back to it under local losses
            .norm_momentum(block.normMomentum());
        blockConfig.losses(Map.of("loss", "none"));
      }
      case OUTPUT -> {
        fields.loss_scale(config.losses().outputLossScale()).zero_start(flag(block.zeroStart() && !backprop));
        blockConfig.losses(Collections.singletonMap("label_smoothing", config.losses().labelSmoothing()));
      }
    }
    return blockConfig;
  }

  private boolean normalizes(BlockSpec block) {
    return block.batchNorm() && config.architecture().batchNorm();
  }

  private static int flag(boolean set) {
    return set ? 1 : 0;
  }

  private void hidden(BlockConfig blockConfig, LayerSpec layer) {
    BlockSpec block = layer.block();
    Architecture architecture = config.architecture();
    boolean normalizes = !Boolean.FALSE.equals(block.normalizeInput());
    blockConfig.fields()
        .bias(flag(block.bias()))
        .batch_norm(flag(architecture.batchNorm()))
        .normalize_input(flag(normalizes))
        .negative_slope(architecture.negativeSlope())
        .dropout(block.dropout() && normalizes ? architecture.dropout() : 0)
        .input_dropout(Boolean.TRUE.equals(block.inputDropout()) ? architecture.dropout() : 0);
    Map<String, Object> losses = Settings.values(config.losses());
    losses.keySet().removeAll(NETWORK_SETTINGS);
    if (config.losses().backprop() || !layer.hasLoss()) {
      losses.put("loss", "none");
    }
    if (config.losses().lossUnsup().equals("recon") && !reconstructs(layer)) {
      losses.put("loss_unsup", "none");
    }
    blockConfig.losses(losses);
  }

  /**
   * The reconstruction loss spares the blocks that read the images, linear blocks behind feature maps, and
   * convolutions that do not keep the size of their map.
   */
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
