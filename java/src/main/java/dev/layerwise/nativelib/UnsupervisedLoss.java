package dev.layerwise.nativelib;

import dev.layerwise.nativelib.generated.LayerwiseApi;

/** What a hidden block learns from its input, without labels. */
public enum UnsupervisedLoss {
  /** Nothing. */
  NONE(LayerwiseApi.LAYERWISE_UNSUPERVISED_NONE),
  /** Similarity matching of the input. */
  SIM(LayerwiseApi.LAYERWISE_UNSUPERVISED_SIM),
  /** Reconstruction of the input. */
  RECON(LayerwiseApi.LAYERWISE_UNSUPERVISED_RECON);

  final int code;

  UnsupervisedLoss(int code) {
    this.code = code;
  }

  static UnsupervisedLoss of(int code) {
    return values()[code]; // declared in the order of the codes
  }
}
