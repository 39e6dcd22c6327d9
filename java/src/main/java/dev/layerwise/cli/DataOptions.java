package dev.layerwise.cli;

import dev.layerwise.data.DataSets;
import java.nio.file.Path;
import java.util.ArrayList;
import picocli.CommandLine.Option;

/** Which images, and where they are. */
final class DataOptions {
  /** Candidates for completion and help. */
  static final class Names extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Names() {
      super(DataSets.names());
    }
  }

  @Option(
      names = "--dataset",
      paramLabel = "NAME",
      completionCandidates = Names.class,
      description = "One of ${COMPLETION-CANDIDATES}. Default: digits for train, the model's own for evaluate.")
  String dataset;

  @Option(
      names = "--data-dir",
      paramLabel = "DIR",
      description = "Folder with the data set's files in their original format. Default: the usual places ('layerwise doctor' shows them).")
  Path dataDir;
}
