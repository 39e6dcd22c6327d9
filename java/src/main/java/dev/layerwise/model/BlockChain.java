package dev.layerwise.model;

import dev.layerwise.nativelib.NativeBlock;
import dev.layerwise.nativelib.NativeTensor;
import java.util.List;

/**
 * A network's blocks in order, and how a batch passes through them.
 *
 * @param layers descriptions of the whole network's blocks
 * @param lastReader from {@link Activations#lastReaders}
 * @param blocks as the layers; {@code null} outside the stage
 * @param stage the positions that this process has
 */
record BlockChain(List<LayerSpec> layers, int[] lastReader, List<NativeBlock> blocks, LayerRange stage) {
  /** What a block makes of what there is when its turn comes. */
  @FunctionalInterface
  interface BlockPass {
    NativeTensor output(int index, Activations passed);
  }

  NativeBlock block(int position) {
    return blocks.get(position);
  }

  /** Passes a batch through the stage; gives what the next one reads, or {@code null} if there is none. */
  NativeTensor pass(NativeTensor input, BlockPass block) {
    return pass(input, block, () -> {});
  }

  /** The same; something is done after each block. */
  NativeTensor pass(NativeTensor input, BlockPass block, Runnable afterEach) {
    try (Activations passed = new Activations(layers, lastReader, input, stage)) {
      for (int i = stage.begin(); i < stage.end(); i++) {
        passed.put(i, block.output(i, passed));
        afterEach.run();
      }
      return stage.end() < layers.size() ? passed.take(stage.end() - 1) : null;
    }
  }

  /** What there is of a whole network when a block's turn comes, in evaluation mode. */
  Activations evaluateBefore(int position, NativeTensor images, NativeTensor labels) {
    boolean[] needed = Networks.needed(layers, position);
    Activations passed = new Activations(layers, lastReader, images);
    try {
      for (int i = 0; i < position; i++) {
        if (needed[i]) {
          passed.put(i, evaluate(i, passed, labels));
        }
      }
      return passed;
    } catch (RuntimeException e) {
      passed.close();
      throw e;
    }
  }

  /**
   * A block's output in evaluation mode.
   *
   * @param labels added to the metrics of a block with a loss; {@code null}: not
   */
  NativeTensor evaluate(int index, Activations passed, NativeTensor labels) {
    return block(index)
        .evaluate(passed.input(index), layers.get(index).hasLoss() ? labels : null, passed.shortcut(index));
  }
}
