package dev.layerwise.cli;

import picocli.CommandLine.Option;

/** What every command takes. */
final class CommonOptions {
  static final String NAME = "common";

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

  @Option(names = "--json", description = "Print one JSON object per line instead of text. Default: off.")
  boolean json;

  @Option(names = "--verbose", description = "Show where a failure happened. Default: off.")
  boolean verbose;

  @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help and exit.")
  boolean help;

  String deviceOr(String fallback) {
    return device == null ? fallback : device;
  }

  int threadsOr(int fallback) {
    return threads == null ? fallback : threads;
  }
}
