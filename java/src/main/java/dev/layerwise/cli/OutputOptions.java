package dev.layerwise.cli;

import picocli.CommandLine.Option;

/** The options of every command. */
class OutputOptions {
  static final String NAME = "common";

  @Option(names = "--json", description = "Print one JSON object per line instead of text. Default: off.")
  boolean json;

  @Option(
      names = {"-q", "--quiet"},
      description = "Print results and errors only: no progress, no remarks. Default: off.")
  boolean quiet;

  @Option(
      names = "--verbose",
      description = "Show stack traces of failures, and the engine chosen for each operation. Default: off.")
  boolean verbose;

  @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help and exit.")
  boolean help;
}
