package dev.layerwise;

/** Small residual networks as a user describes them, for 8×8 images. */
public final class NetworkDescriptions {
  private NetworkDescriptions() {}

  public static final String RESIDUAL =
      """
      {"blocks": [
        {"name": "stem", "kind": "conv", "channels": 8},
        {"name": "one.conv1", "kind": "conv", "channels": 8},
        {"name": "one.conv2", "kind": "conv", "channels": 8, "shortcut": "stem"},
        {"name": "two.conv1", "kind": "conv", "channels": 16, "stride": 2},
        {"name": "two.side", "kind": "shortcut", "input": "one.conv2", "channels": 16, "stride": 2, "bias": false},
        {"name": "two.conv2", "kind": "conv", "channels": 16, "shortcut": "two.side"},
        {"name": "pool", "kind": "head", "average_pool": 2},
        {"name": "classes", "kind": "output"}
      ]}
      """;
  public static final String PREACTIVATION =
      """
      {"blocks": [
        {"name": "stem", "kind": "preactivation", "channels": 8, "normalize_input": false},
        {"name": "one.conv1", "kind": "preactivation", "channels": 8},
        {"name": "one.conv2", "kind": "preactivation", "channels": 8, "shortcut": "stem", "input_dropout": true},
        {"name": "two.conv1", "kind": "preactivation", "channels": 16},
        {"name": "two.side", "kind": "shortcut", "input": "one.conv2", "channels": 16, "stride": 2,
         "batch_norm": false},
        {"name": "two.conv2", "kind": "preactivation", "channels": 16, "stride": 2, "shortcut": "two.side"},
        {"name": "top", "kind": "head", "batch_norm": true, "relu": true, "norm_momentum": 0.9, "pool": true},
        {"name": "classes", "kind": "output"}
      ]}
      """;
}
