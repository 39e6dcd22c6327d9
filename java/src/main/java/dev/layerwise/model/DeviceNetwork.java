package dev.layerwise.model;

import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.NativeBlock;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeTensor;
import dev.layerwise.nativelib.TensorInfo;
import dev.layerwise.safetensors.TensorSource;
import dev.layerwise.settings.Optimizer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A network on a device, or a stage of one: the blocks of its description, driven in order. It belongs to its context's
 * thread.
 */
public final class DeviceNetwork implements AutoCloseable {
  private final ModelConfig config;
  private final List<LayerSpec> layers;
  private final LayerRange stage;
  /** As the layers: the last is the output layer. {@code null} outside the stage. */
  private final List<NativeBlock> blocks = new ArrayList<>();
  private final BlockChain chain;
  private final TrainingSteps training;
  private final NetworkTensors tensors;

  /**
   * Builds the network with freshly initialized parameters, keyed by the context's seed.
   *
   * @throws ModelException if the network cannot be built as described
   */
  public DeviceNetwork(NativeContext context, ModelConfig config, Optimizer optimizer) {
    this(context, config, optimizer, null);
  }

  /**
   * Builds a stage of the network: the layers that this process trains of a pipeline. It can be trained and measured; what
   * asks for a layer or the output needs the whole network.
   *
   * @param stage {@code null}: the whole network
   * @throws ModelException if the network cannot be built as described
   */
  public DeviceNetwork(NativeContext context, ModelConfig config, Optimizer optimizer, LayerRange stage) {
    this.config = config;
    layers = Networks.layers(config);
    this.stage = stage == null ? new LayerRange(0, layers.size()) : stage;
    chain = new BlockChain(layers, Activations.lastReaders(layers), blocks, this.stage);
    training = new TrainingSteps(chain, config.losses());
    tensors = new NetworkTensors(chain);
    BlockConfigs configs = new BlockConfigs(config, layers, optimizer);
    try {
      for (int i = 0; i < layers.size(); i++) {
        blocks.add(this.stage.contains(i) ? context.block(configs.of(i)) : null);
      }
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  public ModelConfig config() {
    return config;
  }

  /** The blocks' descriptions; the last is the output layer. */
  public List<LayerSpec> layers() {
    return layers;
  }

  /** Those of {@link #layers()} that have a loss and so metrics; the last is the output layer. */
  public List<LayerSpec> measuredLayers() {
    return layers.stream().filter(LayerSpec::hasLoss).toList();
  }

  private Stream<NativeBlock> ofStage() {
    return blocks.stream().filter(Objects::nonNull);
  }

  /**
   * Stops training hidden blocks. In a training step a frozen one passes its batch on as in evaluation, with running
   * statistics and without dropout, so that its output is a fixed function; it has no loss, no gradient and no update. The
   * projection on a shortcut goes with the block that it joins. Heads are never frozen: they follow their statistics.
   *
   * @param hiddenBlocks how many of those with a loss, from the front, with the blocks that learn from it; the others are
   *     trained
   */
  public void freeze(int hiddenBlocks) {
    training.freeze(hiddenBlocks);
  }

  /**
   * One step on one batch: block by block, or forward and back where gradients travel between blocks.
   *
   * @param input the images; for a later stage what the one before it gives
   * @return what the next stage reads, to be closed; {@code null} from the last
   */
  public NativeTensor trainStep(NativeTensor input, NativeTensor labels) {
    return training.step(input, labels);
  }

  /**
   * The same, timed layer by layer.
   *
   * @param context the network's
   * @param seconds of each layer, to which those of this step are added
   */
  public void timedTrainStep(NativeContext context, NativeTensor images, NativeTensor labels, double[] seconds) {
    training.timedStep(context, images, labels, seconds);
  }

  /**
   * Passes a batch through the stage in evaluation mode, for its blocks' metrics.
   *
   * @param input as in {@link #trainStep}
   * @return as in {@link #trainStep}
   */
  public NativeTensor measure(NativeTensor input, NativeTensor labels) {
    return chain.pass(input, (i, passed) -> chain.evaluate(i, passed, labels));
  }

  /**
   * Passes a batch through the stage as a training step does, for its blocks' running statistics; nothing is learned.
   *
   * @param input as in {@link #trainStep}
   * @return as in {@link #trainStep}
   */
  public NativeTensor estimateStatistics(NativeTensor input) {
    return training.estimateStatistics(input);
  }

  /**
   * Puts the average of the weights, which the optimizer keeps, in their place; see {@link NativeBlock#useAverage}. Frozen
   * blocks stay as they are: later ones have learned from what these make of the images.
   */
  public void useAverage() {
    trained().forEach(NativeBlock::useAverage);
  }

  /** Puts back what {@link #useAverage()} has set aside; no block may have been frozen since. */
  public void useTrained() {
    trained().forEach(NativeBlock::useTrained);
  }

  private Stream<NativeBlock> trained() {
    return IntStream.range(stage.begin(), stage.end()).filter(i -> !training.isFrozen(i)).mapToObj(blocks::get);
  }

  /**
   * Passes a batch through in evaluation mode.
   *
   * @param labels added to the blocks' metrics; {@code null}: not
   * @return the output layer's logits, (N, classes) in rows
   */
  public NativeTensor evaluate(NativeTensor images, NativeTensor labels) {
    return evaluate(layers.size() - 1, images, labels);
  }

  /**
   * Passes a batch through in evaluation mode as far as a block; no block is computed that it does not need.
   *
   * @param position of the block in {@link #layers()}
   * @param labels as for {@link #evaluate(NativeTensor, NativeTensor)}
   * @return the block's output, (N, C, H, W); of the output layer the logits
   */
  public NativeTensor evaluate(int position, NativeTensor images, NativeTensor labels) {
    try (Activations passed = chain.evaluateBefore(position, images, labels)) {
      return chain.evaluate(position, passed, labels);
    }
  }

  /**
   * Classifies a batch by a block's local classifier; no later block is computed.
   *
   * @param position of the block in {@link #layers()}; the output layer gives its logits
   * @return logits, (N, classes)
   * @throws ModelException if the block has no classifier of the labels, see {@link #hasClassifier}
   */
  public NativeTensor classify(int position, NativeTensor images) {
    LayerSpec layer = layers.get(position);
    requireClassifier(layer);
    if (layer.kind() == LayerSpec.Kind.OUTPUT) {
      return evaluate(position, images, null);
    }
    try (Activations passed = chain.evaluateBefore(position, images, null)) {
      return blocks.get(position).localLogits(passed.input(position), passed.shortcut(position));
    }
  }

  /** Is shown what one classifier after another says of a batch. */
  @FunctionalInterface
  public interface Answers {
    /**
     * Takes the next classifier's answer, in the order of {@link #classifiers()}.
     *
     * @param logits (N, classes) in rows
     * @return whether to go on to the next classifier
     */
    boolean next(float[] logits);
  }

  /**
   * Passes a batch through in evaluation mode and shows what each classifier says, until no more is wanted. No block behind
   * the last classifier shown is computed.
   *
   * @param labels as for {@link #evaluate(NativeTensor, NativeTensor)}
   */
  public void classifyLayers(NativeTensor images, NativeTensor labels, Answers answers) {
    boolean[] needed = Networks.needed(layers, layers.size() - 1);
    try (Activations passed = new Activations(layers, chain.lastReader(), images)) {
      for (int i = 0; i < layers.size(); i++) {
        LayerSpec layer = layers.get(i);
        NativeTensor measured = layer.hasLoss() ? labels : null;
        if (layer.kind() == LayerSpec.Kind.OUTPUT) {
          try (NativeTensor logits = chain.evaluate(i, passed, labels)) {
            answers.next(logits.read());
          }
        } else if (hasClassifier(layer)) {
          NativeBlock.Classified classified = blocks.get(i).classify(passed.input(i), measured, passed.shortcut(i));
          passed.put(i, classified.output());
          try (NativeTensor logits = classified.logits()) {
            if (!answers.next(logits.read())) {
              return;
            }
          }
        } else if (needed[i]) {
          passed.put(i, chain.evaluate(i, passed, labels));
        }
      }
    }
  }

  /** Positions in {@link #layers()} of those that classify; the last is the output layer's. */
  public List<Integer> classifiers() {
    return IntStream.range(0, layers.size()).filter(i -> hasClassifier(layers.get(i))).boxed().toList();
  }

  /** Whether a block has a classifier whose outputs are the classes: the output layer, and under pred and predsim. */
  public boolean hasClassifier(LayerSpec layer) {
    return layer.kind() == LayerSpec.Kind.OUTPUT || (layer.hasLoss() && config.losses().hasLocalClassifiers());
  }

  /** Throws {@link ModelException} for a block of which {@link #hasClassifier} is not true. */
  public void requireClassifier(LayerSpec layer) {
    if (!hasClassifier(layer)) {
      throw new ModelException(
          layer.name() + " has no classifier to predict with: only the output layer and blocks trained with the loss"
              + " pred or predsim, and not with bio, have one");
    }
  }

  /** The sums since the last call, in the order of {@link #measuredLayers()}. */
  public List<BlockMetrics> readMetrics() {
    return metrics(NativeBlock::metrics);
  }

  /** The same without starting anew: the next {@link #readMetrics()} holds these too. */
  public List<BlockMetrics> metricsSoFar() {
    return metrics(NativeBlock::metricsSoFar);
  }

  private List<BlockMetrics> metrics(Function<NativeBlock, BlockMetrics> reading) {
    List<BlockMetrics> metrics = new ArrayList<>();
    for (int i = 0; i < blocks.size(); i++) {
      if (layers.get(i).hasLoss()) {
        metrics.add(stage.contains(i) ? reading.apply(blocks.get(i)) : BlockMetrics.NONE);
      }
    }
    return metrics;
  }

  /** What the block at a position of {@link #layers()} holds, named within the block. */
  public List<TensorInfo> tensors(int position) {
    return blocks.get(position).tensors();
  }

  /**
   * Parameters and running statistics of the stage, named as PyTorch's state_dict names them: not copies, but what the network
   * holds when they are read.
   */
  public Map<String, TensorSource> weights() {
    return tensors.read(NetworkTensors.WEIGHTS);
  }

  /** See {@link NativeBlock#gatherOptimizerState}: of several processes, all call this before {@link #optimizerState}. */
  public void gatherOptimizerState() {
    ofStage().forEach(NativeBlock::gatherOptimizerState);
  }

  /** What the optimizers remember, named {@code <block>.exp_avg.<parameter>} and the like. */
  public Map<String, TensorSource> optimizerState() {
    return tensors.read(NetworkTensors.OPTIMIZER_STATE);
  }

  /**
   * Sets parameters and running statistics.
   *
   * @throws ModelException if one is missing or has another shape; nothing has been changed then
   */
  public void setWeights(Map<String, ? extends TensorSource> weights) {
    tensors.write(weights, NetworkTensors.WEIGHTS);
  }

  /** Sets what {@link #optimizerState()} gave; throws as {@link #setWeights} does. */
  public void setOptimizerState(Map<String, ? extends TensorSource> state) {
    tensors.write(state, NetworkTensors.OPTIMIZER_STATE);
  }

  @Override
  public void close() {
    ofStage().forEach(NativeBlock::close);
  }
}
