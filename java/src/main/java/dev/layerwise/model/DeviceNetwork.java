package dev.layerwise.model;

import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.NativeBlock;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeTensor;
import dev.layerwise.nativelib.TensorInfo;
import dev.layerwise.nativelib.generated.LayerwiseApi.TensorRole;
import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.settings.Optimizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A network on a device, or a stage of one: the blocks of its description, driven in order. It belongs to its context's
 * thread.
 */
public final class DeviceNetwork implements AutoCloseable {
  private final ModelConfig config;
  private final List<LayerSpec> layers;
  private final int[] lastReader;
  /** By group number, the positions of the blocks that learn together. */
  private final Map<Integer, List<Integer>> sharedLosses;
  private final LayerRange stage;
  /** By layer: those that only pass batches on in a training step. */
  private final boolean[] frozen;
  /** As the layers: the last is the output layer. {@code null} outside the stage. */
  private final List<NativeBlock> blocks = new ArrayList<>();

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
    lastReader = Activations.lastReaders(layers);
    sharedLosses = LossGroups.shared(layers);
    this.stage = stage == null ? new LayerRange(0, layers.size()) : stage;
    frozen = new boolean[layers.size()];
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

  private NativeBlock output() {
    return blocks.get(blocks.size() - 1);
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
    Arrays.fill(frozen, false);
    int left = hiddenBlocks;
    for (int i = 0; i < layers.size() - 1; i++) {
      LayerSpec layer = layers.get(i);
      if (!layer.isHidden() || left == 0) {
        continue;
      }
      frozen[i] = true;
      if (joinsProjection(layer)) {
        frozen[layer.shortcut()] = true;
      }
      left -= layer.hasLoss() ? 1 : 0;
    }
  }

  /**
   * One step on one batch: block by block, or forward and back where gradients travel between blocks.
   *
   * @param input the images; for a later stage what the one before it gives
   * @return what the next stage reads, to be closed; {@code null} from the last
   */
  public NativeTensor trainStep(NativeTensor input, NativeTensor labels) {
    if (config.losses().areConnected()) {
      connectedStep(input, labels);
      return null;
    }
    if (config.losses().grouped()) {
      try (Gradients gradients = new Gradients(layers.size())) {
        return pass(input, (i, passed) -> groupedStep(i, passed, labels, gradients), () -> {});
      }
    }
    return pass(input, (i, passed) -> localStep(i, passed, labels), () -> {});
  }

  /**
   * The same, timed layer by layer.
   *
   * @param context the network's
   * @param seconds of each layer, to which those of this step are added
   */
  public void timedTrainStep(NativeContext context, NativeTensor images, NativeTensor labels, double[] seconds) {
    context.synchronize();
    long[] since = {System.nanoTime()};
    int[] layer = {stage.begin()};
    pass(
        images,
        (i, passed) -> localStep(i, passed, labels),
        () -> {
          context.synchronize();
          long now = System.nanoTime();
          seconds[layer[0]++] += (now - since[0]) * 1e-9;
          since[0] = now;
        });
  }

  /** What a block makes of what there is when its turn comes. */
  @FunctionalInterface
  private interface BlockPass {
    NativeTensor output(int index, Activations passed);
  }

  /** Passes a batch through the stage; gives what the next one reads, or {@code null} if there is none. */
  private NativeTensor pass(NativeTensor input, BlockPass block, Runnable afterEach) {
    try (Activations passed = new Activations(layers, lastReader, input, stage)) {
      for (int i = stage.begin(); i < stage.end(); i++) {
        passed.put(i, block.output(i, passed));
        afterEach.run();
      }
      return stage.end() < layers.size() ? passed.take(stage.end() - 1) : null;
    }
  }

  /**
   * Passes a batch through the stage in evaluation mode, for its blocks' metrics.
   *
   * @param input as in {@link #trainStep}
   * @return as in {@link #trainStep}
   */
  public NativeTensor measure(NativeTensor input, NativeTensor labels) {
    return pass(
        input,
        (i, passed) ->
            blocks.get(i).evaluate(passed.input(i), layers.get(i).hasLoss() ? labels : null, passed.shortcut(i)),
        () -> {});
  }

  /**
   * Passes a batch through the stage as a training step does, for its blocks' running statistics; nothing is learned.
   *
   * @param input as in {@link #trainStep}
   * @return as in {@link #trainStep}
   */
  public NativeTensor estimateStatistics(NativeTensor input) {
    return pass(
        input,
        (i, passed) ->
            frozen[i]
                ? blocks.get(i).evaluate(passed.input(i), null, passed.shortcut(i))
                : blocks.get(i).estimateStatistics(passed.input(i), passed.shortcut(i)),
        () -> {});
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
    return IntStream.range(stage.begin(), stage.end()).filter(i -> !frozen[i]).mapToObj(blocks::get);
  }

  /** Trains a block on what it reads and gives its output. */
  private NativeTensor localStep(int index, Activations passed, NativeTensor labels) {
    NativeBlock block = blocks.get(index);
    LayerSpec layer = layers.get(index);
    NativeTensor x = passed.input(index);
    if (frozen[index]) {
      return block.evaluate(x, null, passed.shortcut(index));
    }
    if (layer.kind() == LayerSpec.Kind.SHORTCUT) {
      return block.forward(x, null, null); // it waits for the gradient of the block that it joins
    }
    if (!joinsProjection(layer)) {
      return block.trainStep(x, labels, passed.shortcut(index));
    }
    NativeBlock.StepResult step = block.trainStep(x, labels, passed.shortcut(index), true);
    try (NativeTensor gradient = step.dShortcut()) {
      blocks.get(layer.shortcut()).backward(gradient, false, false);
      return step.output();
    } catch (RuntimeException e) {
      step.output().close();
      throw e;
    }
  }

  private boolean joinsProjection(LayerSpec layer) {
    return layer.joinsShortcut()
        && layer.shortcut() != LayerSpec.IMAGES
        && layers.get(layer.shortcut()).kind() == LayerSpec.Kind.SHORTCUT;
  }

  /** As {@link #localStep}; with the last block of a group, all of them learn. */
  private NativeTensor groupedStep(int index, Activations passed, NativeTensor labels, Gradients gradients) {
    int group = layers.get(index).group();
    List<Integer> members = sharedLosses.get(group);
    if (members == null || frozen[index]) {
      return localStep(index, passed, labels);
    }
    NativeTensor output =
        blocks.get(index)
            .forward(passed.input(index), layers.get(index).hasLoss() ? labels : null, passed.shortcut(index));
    try {
      if (index == members.get(members.size() - 1)) {
        for (int i = members.size() - 1; i >= 0; i--) {
          backward(members.get(i), gradients, source -> layers.get(source).group() == group);
        }
      }
      return output;
    } catch (RuntimeException e) {
      output.close();
      throw e;
    }
  }

  /** Lets a block learn, and gives the gradients at what it reads to those of its sources that want them. */
  private void backward(int index, Gradients gradients, IntPredicate wanted) {
    LayerSpec layer = layers.get(index);
    boolean toInput = layer.input() != LayerSpec.IMAGES && wanted.test(layer.input());
    boolean toShortcut =
        layer.joinsShortcut() && layer.shortcut() != LayerSpec.IMAGES && wanted.test(layer.shortcut());
    try (NativeTensor gradient = gradients.take(index)) {
      NativeBlock.PassedOn below = blocks.get(index).backward(gradient, toInput, toShortcut);
      if (toInput) {
        gradients.add(layer.input(), below.dInput());
      }
      if (toShortcut) {
        gradients.add(layer.shortcut(), below.dShortcut());
      }
    }
  }

  private void connectedStep(NativeTensor images, NativeTensor labels) {
    int outputAt = layers.size() - 1;
    try (Gradients gradients = new Gradients(layers.size())) {
      try (Activations passed = new Activations(layers, lastReader, images)) {
        for (int i = 0; i < outputAt; i++) {
          // A block keeps what it needs of its input.
          NativeTensor localLabels = config.losses().backprop() || !layers.get(i).hasLoss() ? null : labels;
          passed.put(i, blocks.get(i).forward(passed.input(i), localLabels, passed.shortcut(i)));
        }
        NativeTensor gradient = output().outputTrainStep(passed.input(outputAt), labels);
        if (layers.get(outputAt).input() == LayerSpec.IMAGES) {
          gradient.close(); // nobody learns from the gradient at the images
        } else {
          gradients.add(layers.get(outputAt).input(), gradient);
        }
      }
      for (int i = outputAt - 1; i >= 0; i--) {
        backward(i, gradients, source -> true);
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
    try (Activations passed = evaluateBefore(position, images, labels)) {
      NativeTensor measured = layers.get(position).hasLoss() ? labels : null;
      return blocks.get(position).evaluate(passed.input(position), measured, passed.shortcut(position));
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
    try (Activations passed = evaluateBefore(position, images, null)) {
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
    try (Activations passed = new Activations(layers, lastReader, images)) {
      for (int i = 0; i < layers.size(); i++) {
        LayerSpec layer = layers.get(i);
        NativeTensor measured = layer.hasLoss() ? labels : null;
        if (layer.kind() == LayerSpec.Kind.OUTPUT) {
          try (NativeTensor logits = blocks.get(i).evaluate(passed.input(i), measured, passed.shortcut(i))) {
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
          passed.put(i, blocks.get(i).evaluate(passed.input(i), measured, passed.shortcut(i)));
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

  /** What there is when a block's turn comes. */
  private Activations evaluateBefore(int position, NativeTensor images, NativeTensor labels) {
    boolean[] needed = Networks.needed(layers, position);
    Activations passed = new Activations(layers, lastReader, images);
    try {
      for (int i = 0; i < position; i++) {
        if (needed[i]) {
          NativeTensor measured = layers.get(i).hasLoss() ? labels : null;
          passed.put(i, blocks.get(i).evaluate(passed.input(i), measured, passed.shortcut(i)));
        }
      }
      return passed;
    } catch (RuntimeException e) {
      passed.close();
      throw e;
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

  /** Parameters and running statistics of the stage, named as PyTorch's state_dict names them. */
  public Map<String, HostTensor> weights() {
    return tensors(Set.of(TensorRole.LAYERWISE_PARAMETER, TensorRole.LAYERWISE_BUFFER));
  }

  /** See {@link NativeBlock#gatherOptimizerState}: of several processes, all call this before {@link #optimizerState}. */
  public void gatherOptimizerState() {
    ofStage().forEach(NativeBlock::gatherOptimizerState);
  }

  /** What the optimizers remember, named {@code <block>.exp_avg.<parameter>} and the like. */
  public Map<String, HostTensor> optimizerState() {
    return tensors(Set.of(TensorRole.LAYERWISE_OPTIMIZER_STATE));
  }

  private Map<String, HostTensor> tensors(Set<TensorRole> roles) {
    Map<String, HostTensor> tensors = new LinkedHashMap<>();
    for (int i = stage.begin(); i < stage.end(); i++) {
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
    setTensors(weights, Set.of(TensorRole.LAYERWISE_PARAMETER, TensorRole.LAYERWISE_BUFFER));
  }

  /** Sets what {@link #optimizerState()} gave; throws as {@link #setWeights} does. */
  public void setOptimizerState(Map<String, HostTensor> state) {
    setTensors(state, Set.of(TensorRole.LAYERWISE_OPTIMIZER_STATE));
  }

  private void setTensors(Map<String, HostTensor> values, Set<TensorRole> roles) {
    List<Runnable> writes = new ArrayList<>();
    for (int i = stage.begin(); i < stage.end(); i++) {
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
                  Locale.ROOT, "the weights' tensor '%s' has shape %s, but the network needs %s",
                  name, Arrays.toString(value.shape()), Arrays.toString(info.shape())));
        }
        writes.add(() -> block.write(info.name(), value.toFloats()));
      }
    }
    writes.forEach(Runnable::run);
  }

  @Override
  public void close() {
    ofStage().forEach(NativeBlock::close);
  }
}
