package dev.layerwise.data;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;

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

  /** Names of a part's files, as they are when unpacked. */
  List<String> files(Part part);

  /** Names of the files that make a complete copy. */
  default List<String> files() {
    return files(Part.ALL);
  }

  /** The same for these parts. */
  default List<String> files(Set<Part> parts) {
    return Arrays.stream(Part.values()).filter(parts::contains).flatMap(part -> files(part).stream()).toList();
  }

  /** Looks only whether the files of these parts are there, each plain or packed, not into them. */
  default Presence inspect(Path folder, Set<Part> parts) {
    List<String> names = files(parts);
    List<String> missing = names.stream().filter(name -> DataFile.find(folder, name).isEmpty()).toList();
    return new Presence(folder, missing.size() < names.size(), missing);
  }

  /** Reads parts of a copy that {@link #inspect} found complete. */
  Map<Part, ImageSet> load(DataCopy copy, Set<Part> parts);

  /** What is looked for, in words. */
  String describe();
}
