package dev.layerwise.nativelib;

import dev.layerwise.nativelib.generated.LayerwiseApi;

/** What a hidden block learns from. */
public enum Loss {
  /** What flows back to it: backpropagation. */
  NONE(LayerwiseApi.LAYERWISE_LOSS_NONE),
  /** The cross-entropy of its local classifier. */
  PRED(LayerwiseApi.LAYERWISE_LOSS_PRED),
  /** Similarity matching. */
  SIM(LayerwiseApi.LAYERWISE_LOSS_SIM),
  /** beta · sim + (1 − beta) · pred. */
  PREDSIM(LayerwiseApi.LAYERWISE_LOSS_PREDSIM);

  final int code;

  Loss(int code) {
    this.code = code;
  }

  static Loss of(int code) {
    return values()[code]; // declared in the order of the codes
  }
}
