package dev.layerwise.data;

import java.nio.file.Path;
import java.util.List;

/** How the files of a data set lie on disk. */
interface DataSetLayout {
  /**
   * What a folder has of the data set.
   *
   * @param location the folder, or the archive in it
   * @param present whether any file is there
   * @param missing names of the files that are not
   */
  record Presence(Path location, boolean present, List<String> missing) {
    boolean complete() {
      return missing.isEmpty();
    }
  }

  /** Names of the files that make a complete copy, as they are when unpacked. */
  List<String> files();

  /** Looks only whether files are there, not into them. */
  Presence inspect(Path folder);

  /** Reads the data set from where {@link #inspect} found it complete. */
  DataSet<ImageSet> load(Path location, DataSetInfo info);

  /** What is looked for, in words. */
  String describe();

  /** The presence of loose files, each plain or packed. */
  static Presence inspectFiles(Path folder, List<String> names) {
    List<String> missing = names.stream().filter(name -> DataFile.find(folder, name).isEmpty()).toList();
    return new Presence(folder, missing.size() < names.size(), missing);
  }
}
