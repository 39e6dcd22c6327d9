package dev.layerwise.cli;

import picocli.CommandLine.Option;

/** What every command takes that computes. */
final class CommonOptions extends OutputOptions {
  @Option(
      names = "--device",
      paramLabel = "DEVICE",
      description = "Where to compute: cpu (oneDNN, float32) or reference (plain loops, float64; slow). Default: cpu.")
  String device;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Computing threads; 0 for one per core. Default: 0.")
  Integer threads;

  String deviceOr(String fallback) {
    return device == null ? fallback : device;
  }

  int threadsOr(int fallback) {
    return threads == null ? fallback : threads;
  }
}
