package dev.layerwise.cli;

import picocli.CommandLine.Option;

/** What every command takes. */
class OutputOptions {
  static final String NAME = "common";

  @Option(names = "--json", description = "Print one JSON object per line instead of text. Default: off.")
  boolean json;

  @Option(
      names = "--verbose",
      description = "Show where a failure happened, and which engine did which operation. Default: off.")
  boolean verbose;

  @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help and exit.")
  boolean help;
}
