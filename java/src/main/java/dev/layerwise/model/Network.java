package dev.layerwise.model;

import dev.layerwise.checkpoint.HostTensor;
import dev.layerwise.nativelib.BlockConfig;
import dev.layerwise.nativelib.BlockKind;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.Loss;
import dev.layerwise.nativelib.NativeBlock;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeTensor;
import dev.layerwise.nativelib.Optimizer;
import dev.layerwise.nativelib.TensorInfo;
import dev.layerwise.nativelib.TensorRole;
import dev.layerwise.nativelib.UnsupervisedLoss;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * A network on a device: its blocks, driven one after the other. It belongs to its context's thread.
 */
public final class Network implements AutoCloseable {
  private final ModelConfig config;
  private final List<LayerSpec> layers;
  private final List<NativeBlock> hidden = new ArrayList<>();
  private final NativeBlock output;

  /**
   * Builds the network with freshly initialized parameters, keyed by the context's seed.
   *
   * @throws ModelException if the network cannot be built as described
   */
  public Network(NativeContext context, ModelConfig config, OptimizerConfig optimizer) {
    this.config = config;
    layers = Networks.layers(config);
    try {
      for (int i = 0; i < layers.size() - 1; i++) {
        hidden.add(context.block(blockConfig(i, optimizer)));
      }
      output = context.block(blockConfig(layers.size() - 1, optimizer));
    } catch (RuntimeException e) {
      hidden.forEach(NativeBlock::close);
      throw e;
    }
  }

  private BlockConfig blockConfig(int index, OptimizerConfig optimizer) {
    LayerSpec layer = layers.get(index);
    return BlockConfig.builder(layer.name(), BlockKind.valueOf(layer.kind().name()))
        .index(index)
        .input(layer.inChannels(), layer.inHeight(), layer.inWidth())
        .outChannels(layer.outChannels())
        .convolution(layer.kernel(), layer.stride(), layer.padding())
        .batchNorm(config.batchNorm())
        .negativeSlope(config.negativeSlope())
        .dropout(config.dropout())
        .maxPool(layer.maxPool())
        .loss(config.backprop() ? Loss.NONE : Loss.valueOf(config.loss().toUpperCase(Locale.ROOT)))
        .beta(config.beta())
        .similarityStd(config.similarityStd())
        .dimInDecoder(config.dimInDecoder())
        .classes(config.classes())
        .lossScale(config.outputLossScale())
        .unsupervised(unsupervised(index), config.alpha())
        .bio(config.bio(), config.targetProjSize())
        .zeroStart(!config.backprop() && config.numLayers() > 0)
        .optimizer(Optimizer.valueOf(optimizer.optim().toUpperCase(Locale.ROOT)))
        .momentum(optimizer.momentum())
        .weightDecay(optimizer.weightDecay())
        .build();
  }

  /** The reconstruction loss spares the first block, and the first linear one behind a feature map. */
  private UnsupervisedLoss unsupervised(int index) {
    UnsupervisedLoss loss = UnsupervisedLoss.valueOf(config.lossUnsup().toUpperCase(Locale.ROOT));
    boolean spared =
        index == 0
            || (layers.get(index).kind() == LayerSpec.Kind.LINEAR && layers.get(index - 1).kind() != LayerSpec.Kind.LINEAR);
    return loss == UnsupervisedLoss.RECON && spared ? UnsupervisedLoss.NONE : loss;
  }

  public ModelConfig config() {
    return config;
  }

  /** The blocks' descriptions; the last is the output layer. */
  public List<LayerSpec> layers() {
    return layers;
  }

  /** The hidden blocks and, last, the output layer. */
  public List<NativeBlock> blocks() {
    List<NativeBlock> blocks = new ArrayList<>(hidden);
    blocks.add(output);
    return blocks;
  }

  /** One step on one batch: block by block, or forward and back where gradients travel between blocks. */
  public void trainStep(NativeTensor images, NativeTensor labels) {
    if (config.backprop() || config.noDetach()) {
      connectedStep(images, labels);
    } else {
      localStep(images, labels);
    }
  }

  private void localStep(NativeTensor images, NativeTensor labels) {
    NativeTensor x = images;
    try {
      for (NativeBlock block : hidden) {
        x = advance(images, x, block.trainStep(x, labels, null));
      }
      output.trainStep(x, labels, null).close();
    } finally {
      release(images, x);
    }
  }

  private void connectedStep(NativeTensor images, NativeTensor labels) {
    NativeTensor localLabels = config.backprop() ? null : labels;
    NativeTensor x = images;
    NativeTensor gradient;
    try {
      for (NativeBlock block : hidden) {
        x = advance(images, x, block.forward(x, localLabels, null)); // it keeps what it needs of its input
      }
      gradient = output.outputTrainStep(x, labels);
    } finally {
      release(images, x);
    }
    try {
      for (int i = hidden.size() - 1; i >= 0; i--) {
        NativeTensor below = hidden.get(i).backward(gradient, i > 0, false).dInput();
        gradient.close();
        gradient = below;
      }
    } finally {
      if (gradient != null) {
        gradient.close();
      }
    }
  }

  /**
   * Passes a batch through in evaluation mode.
   *
   * @param labels added to the blocks' metrics; {@code null}: not
   * @return the output layer's logits, (N, classes) in rows
   */
  public NativeTensor evaluate(NativeTensor images, NativeTensor labels) {
    NativeTensor x = images;
    try {
      for (NativeBlock block : hidden) {
        x = advance(images, x, block.evaluate(x, labels, null));
      }
      return output.evaluate(x, labels, null);
    } finally {
      release(images, x);
    }
  }

  private static NativeTensor advance(NativeTensor images, NativeTensor done, NativeTensor next) {
    release(images, done);
    return next;
  }

  /** The images belong to the caller; everything behind them is ours. */
  private static void release(NativeTensor images, NativeTensor x) {
    if (x != images) {
      x.close();
    }
  }

  /** Every block's means since the last call, in the order of {@link #layers()}. */
  public List<BlockMetrics> readMetrics() {
    return blocks().stream().map(NativeBlock::metrics).toList();
  }

  /** Parameters and running statistics, named as PyTorch's state_dict names them. */
  public Map<String, HostTensor> weights() {
    return tensors(Set.of(TensorRole.PARAMETER, TensorRole.BUFFER));
  }

  /** What the optimizers remember, named {@code <block>.exp_avg.<parameter>} and the like. */
  public Map<String, HostTensor> optimizerState() {
    return tensors(Set.of(TensorRole.OPTIMIZER_STATE));
  }

  private Map<String, HostTensor> tensors(Set<TensorRole> roles) {
    Map<String, HostTensor> tensors = new LinkedHashMap<>();
    List<NativeBlock> blocks = blocks();
    for (int i = 0; i < blocks.size(); i++) {
      for (TensorInfo info : blocks.get(i).tensors()) {
        if (roles.contains(info.role())) {
          tensors.put(
              layers.get(i).name() + "." + info.name(),
              HostTensor.of(info.shape(), blocks.get(i).read(info.name())));
        }
      }
    }
    return tensors;
  }

  /**
   * Sets parameters and running statistics.
   *
   * @throws ModelException if one is missing or has another shape; nothing has been changed then
   */
  public void setWeights(Map<String, HostTensor> weights) {
    setTensors(weights, Set.of(TensorRole.PARAMETER, TensorRole.BUFFER));
  }

  /** Sets what {@link #optimizerState()} gave; throws as {@link #setWeights} does. */
  public void setOptimizerState(Map<String, HostTensor> state) {
    setTensors(state, Set.of(TensorRole.OPTIMIZER_STATE));
  }

  private void setTensors(Map<String, HostTensor> values, Set<TensorRole> roles) {
    List<Runnable> writes = new ArrayList<>();
    List<NativeBlock> blocks = blocks();
    for (int i = 0; i < blocks.size(); i++) {
      NativeBlock block = blocks.get(i);
      for (TensorInfo info : block.tensors()) {
        if (!roles.contains(info.role())) {
          continue;
        }
        String name = layers.get(i).name() + "." + info.name();
        HostTensor value = values.get(name);
        if (value == null) {
          throw new ModelException("the weights hold no tensor '" + name + "', which the network needs");
        }
        if (!Arrays.equals(value.shape(), info.shape())) {
          throw new ModelException(
              String.format(
                  "the weights' tensor '%s' has shape %s, but the network needs %s",
                  name, Arrays.toString(value.shape()), Arrays.toString(info.shape())));
        }
        writes.add(() -> block.write(info.name(), value.toFloats()));
      }
    }
    writes.forEach(Runnable::run);
  }

  @Override
  public void close() {
    hidden.forEach(NativeBlock::close);
    output.close();
  }
}
