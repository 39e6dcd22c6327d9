package dev.layerwise.nativelib;

import dev.layerwise.nativelib.generated.LayerwiseApi;

/** The rule by which a block updates its parameters. */
public enum Optimizer {
  SGD(LayerwiseApi.LAYERWISE_SGD),
  ADAM(LayerwiseApi.LAYERWISE_ADAM),
  AMSGRAD(LayerwiseApi.LAYERWISE_AMSGRAD);

  final int code;

  Optimizer(int code) {
    this.code = code;
  }

  static Optimizer of(int code) {
    return values()[code]; // declared in the order of the codes
  }
}
