package dev.layerwise.model;

import dev.layerwise.nativelib.NativeTensor;

/** Gradients at the blocks' outputs on their way back; those of several readers are added up. */
final class Gradients implements AutoCloseable {
  private final NativeTensor[] at;

  Gradients(int blocks) {
    at = new NativeTensor[blocks];
  }

  /** Takes over the gradient that one reader of a block's output gives. */
  void add(int block, NativeTensor gradient) {
    if (at[block] == null) {
      at[block] = gradient;
    } else {
      try (gradient) {
        at[block].add(gradient);
      }
    }
  }

  /** The sum of what all readers gave, which is the caller's to close. */
  NativeTensor take(int block) {
    NativeTensor gradient = at[block];
    at[block] = null;
    return gradient;
  }

  @Override
  public void close() {
    for (NativeTensor gradient : at) {
      if (gradient != null) {
        gradient.close();
      }
    }
  }
}
