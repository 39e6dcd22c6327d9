package dev.layerwise.nativelib;

import dev.layerwise.nativelib.generated.LayerwiseApi;

/** What a tensor of a block is for. */
public enum TensorRole {
  /** Trained: "encoder.weight", "bn.bias", "decoder_y.weight". */
  PARAMETER(LayerwiseApi.LAYERWISE_PARAMETER),
  /** Kept along the way: "bn.running_mean". */
  BUFFER(LayerwiseApi.LAYERWISE_BUFFER),
  /** The optimizer's memory: "exp_avg.encoder.weight", "step". */
  OPTIMIZER_STATE(LayerwiseApi.LAYERWISE_OPTIMIZER_STATE);

  final int code;

  TensorRole(int code) {
    this.code = code;
  }

  static TensorRole of(int code) {
    return values()[code]; // declared in the order of the codes
  }
}
