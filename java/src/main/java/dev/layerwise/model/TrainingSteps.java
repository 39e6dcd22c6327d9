package dev.layerwise.model;

import dev.layerwise.nativelib.NativeBlock;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeTensor;
import dev.layerwise.settings.Losses;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;

/**
 * How a network learns from a batch: each block by itself, groups of blocks from one loss, or all from gradients that travel
 * through the whole network. Documented where it is called, in {@link DeviceNetwork}.
 */
final class TrainingSteps {
  private final BlockChain chain;
  private final List<LayerSpec> layers;
  private final Losses losses;
  /** By group number, the positions of the blocks that learn together. */
  private final Map<Integer, List<Integer>> sharedLosses;
  /** By layer: those that only pass batches on in a training step. */
  private final boolean[] frozen;

  TrainingSteps(BlockChain chain, Losses losses) {
    this.chain = chain;
    this.losses = losses;
    layers = chain.layers();
    sharedLosses = LossGroups.shared(layers);
    frozen = new boolean[layers.size()];
  }

  void freeze(int hiddenBlocks) {
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

  boolean isFrozen(int position) {
    return frozen[position];
  }

  NativeTensor step(NativeTensor input, NativeTensor labels) {
    if (losses.areConnected()) {
      connectedStep(input, labels);
      return null;
    }
    if (losses.grouped()) {
      try (Gradients gradients = new Gradients(layers.size())) {
        return chain.pass(input, (i, passed) -> groupedStep(i, passed, labels, gradients));
      }
    }
    return chain.pass(input, (i, passed) -> localStep(i, passed, labels));
  }

  void timedStep(NativeContext context, NativeTensor images, NativeTensor labels, double[] seconds) {
    context.synchronize();
    long[] since = {System.nanoTime()};
    int[] layer = {chain.stage().begin()};
    chain.pass(
        images,
        (i, passed) -> localStep(i, passed, labels),
        () -> {
          context.synchronize();
          long now = System.nanoTime();
          seconds[layer[0]++] += (now - since[0]) * 1e-9;
          since[0] = now;
        });
  }

  NativeTensor estimateStatistics(NativeTensor input) {
    return chain.pass(
        input,
        (i, passed) ->
            frozen[i] ? chain.evaluate(i, passed, null)
                : chain.block(i).estimateStatistics(passed.input(i), passed.shortcut(i)));
  }

  /** Trains a block on what it reads and gives its output. */
  private NativeTensor localStep(int index, Activations passed, NativeTensor labels) {
    NativeBlock block = chain.block(index);
    LayerSpec layer = layers.get(index);
    NativeTensor x = passed.input(index);
    if (frozen[index]) {
      return chain.evaluate(index, passed, null);
    }
    if (layer.kind() == LayerSpec.Kind.SHORTCUT) {
      return block.forward(x, null, null); // it waits for the gradient of the block that it joins
    }
    if (!joinsProjection(layer)) {
      return block.trainStep(x, labels, passed.shortcut(index));
    }
    NativeBlock.StepResult step = block.trainStep(x, labels, passed.shortcut(index), true);
    try (NativeTensor gradient = step.dShortcut()) {
      chain.block(layer.shortcut()).backward(gradient, false, false);
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
        chain.block(index)
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
      NativeBlock.PassedOn below = chain.block(index).backward(gradient, toInput, toShortcut);
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
      try (Activations passed = new Activations(layers, chain.lastReader(), images)) {
        for (int i = 0; i < outputAt; i++) {
          // A block keeps what it needs of its input.
          NativeTensor localLabels = losses.backprop() || !layers.get(i).hasLoss() ? null : labels;
          passed.put(i, chain.block(i).forward(passed.input(i), localLabels, passed.shortcut(i)));
        }
        NativeTensor gradient = chain.block(outputAt).outputTrainStep(passed.input(outputAt), labels);
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
}
