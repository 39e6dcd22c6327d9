package dev.layerwise.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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

  /** Turns a file into what is kept of it. */
  @FunctionalInterface
  interface Reader<T> {
    T read(DataFile file, String name);
  }

  /** Names of a part's files, as they are when unpacked. */
  List<String> files(Part part);

  /** Names of the files that make a complete copy. */
  default List<String> files() {
    return files(Part.ALL);
  }

  private List<String> files(Set<Part> parts) {
    return Arrays.stream(Part.values()).filter(parts::contains).flatMap(part -> files(part).stream()).toList();
  }

  /** Name of the official archive, if it is read where it lies. */
  default Optional<String> archive() {
    return Optional.empty();
  }

  /** Looks only whether the files of these parts are there, each plain or packed, not into them. */
  default Presence inspect(Path folder, Set<Part> parts) {
    List<String> names = files(parts);
    List<String> missing = names.stream().filter(name -> DataFile.find(folder, name).isEmpty()).toList();
    Presence loose = new Presence(folder, missing.size() < names.size(), missing);
    Optional<Path> packed = archive().map(folder::resolve).filter(Files::exists);
    return loose.complete() || packed.isEmpty() ? loose : new Presence(packed.get(), true, List.of());
  }

  /** Reads a part from where {@link #inspect} found it complete. */
  ImageSet load(Path location, DataSetInfo info, Part part);

  /** What the reader makes of each file of a part, in the order in which they lie there. */
  default <T> Map<String, T> read(Path location, DataSetInfo info, Part part, Reader<T> reader) {
    if (archive().filter(location::endsWith).isPresent()) {
      return TarMembers.read(location, files(part), info, reader);
    }
    Map<String, T> read = new LinkedHashMap<>();
    for (String name : files(part)) {
      try (DataFile file = DataFile.open(location, name)) {
        read.put(name, reader.read(file, name));
      }
    }
    return read;
  }

  /** What is looked for, in words. */
  String describe();
}
