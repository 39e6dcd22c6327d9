package dev.layerwise.model;

import dev.layerwise.nativelib.NativeTensor;
import java.util.List;

/**
 * What passes between the blocks in one pass. A block's output lives until the last block that reads it is
 * done; the images, or what the stage before gave, belong to the caller.
 */
final class Activations implements AutoCloseable {
  private final List<LayerSpec> layers;
  private final int[] lastReader;
  private final NativeTensor given;
  private final int givenAt; // position whose output was given
  private final NativeTensor[] outputs;

  /** @param lastReader of each block's output, from {@link #lastReaders} */
  Activations(List<LayerSpec> layers, int[] lastReader, NativeTensor images) {
    this(layers, lastReader, images, new LayerRange(0, layers.size()));
  }

  /** Of a stage, to which the output of the layer before it is given. */
  Activations(List<LayerSpec> layers, int[] lastReader, NativeTensor given, LayerRange stage) {
    this.layers = layers;
    this.lastReader = lastReader;
    this.given = given;
    givenAt = stage.begin() == 0 ? LayerSpec.IMAGES : stage.begin() - 1;
    outputs = new NativeTensor[layers.size()];
  }

  /** For each block the position of the last one that reads its output. */
  static int[] lastReaders(List<LayerSpec> layers) {
    int[] last = new int[layers.size()];
    for (int i = 0; i < last.length; i++) {
      LayerSpec layer = layers.get(i);
      if (layer.input() != LayerSpec.IMAGES) {
        last[layer.input()] = i;
      }
      if (layer.joinsShortcut() && layer.shortcut() != LayerSpec.IMAGES) {
        last[layer.shortcut()] = i;
      }
    }
    return last;
  }

  /** What a block reads. */
  NativeTensor input(int block) {
    return source(layers.get(block).input());
  }

  /** What is added in a block, or {@code null}. */
  NativeTensor shortcut(int block) {
    Integer from = layers.get(block).shortcut();
    return from == null ? null : source(from);
  }

  private NativeTensor source(int position) {
    return position == givenAt ? given : outputs[position];
  }

  /** Takes a block's output over, and closes what nothing reads any more. */
  void put(int block, NativeTensor output) {
    outputs[block] = output;
    for (int i = 0; i < block; i++) {
      if (lastReader[i] == block) {
        close(i);
      }
    }
  }

  /** A block's output, which is the caller's now. */
  NativeTensor take(int block) {
    NativeTensor output = outputs[block];
    outputs[block] = null;
    return output;
  }

  private void close(int block) {
    if (outputs[block] != null) {
      outputs[block].close();
      outputs[block] = null;
    }
  }

  @Override
  public void close() {
    for (int i = 0; i < outputs.length; i++) {
      close(i);
    }
  }
}
