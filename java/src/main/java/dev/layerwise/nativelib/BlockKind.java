package dev.layerwise.nativelib;

import dev.layerwise.nativelib.generated.LayerwiseApi;

/** What a block computes. */
public enum BlockKind {
  /** Convolution → batch norm → [+ shortcut] → activation → channel dropout → [2×2 max-pool]. */
  CONVOLUTION(LayerwiseApi.LAYERWISE_CONVOLUTION),
  /** The same with a linear layer over the flattened input and element dropout. */
  LINEAR(LayerwiseApi.LAYERWISE_LINEAR),
  /** A linear layer that ends in the global cross-entropy. */
  OUTPUT(LayerwiseApi.LAYERWISE_OUTPUT),
  /** [Element dropout →] batch norm → activation → channel dropout → convolution → [+ shortcut]. */
  PREACTIVATION(LayerwiseApi.LAYERWISE_PREACTIVATION),
  /** Convolution → [batch norm], without loss or activation: the projection on a shortcut. */
  SHORTCUT(LayerwiseApi.LAYERWISE_SHORTCUT),
  /** [Batch norm → activation →] pooling of the last maps; no loss of its own. */
  HEAD(LayerwiseApi.LAYERWISE_HEAD);

  final int code;

  BlockKind(int code) {
    this.code = code;
  }
}
