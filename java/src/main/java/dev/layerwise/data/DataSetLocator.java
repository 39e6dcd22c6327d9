package dev.layerwise.data;

import dev.layerwise.data.DataSetLayout.Presence;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Finds data sets on disk. A folder that the user names is the only one looked at. Without one the order is
 * $LAYERWISE_DATA, ./data, $XDG_CACHE_HOME/layerwise (by default ~/.cache/layerwise), then "datasets" below each of
 * $XDG_DATA_DIRS and below /usr/local/share and /usr/share, where distributions install data.
 */
final class DataSetLocator {
  private static final String SYSTEM_DATA_FOLDERS = "/usr/local/share:/usr/share";

  private final Map<String, String> environment;
  private final Path cache;
  private final Path workingFolder;

  /**
   * A locator.
   *
   * @param cache where downloads go
   */
  DataSetLocator(Map<String, String> environment, Path cache, Path workingFolder) {
    this.environment = environment;
    this.cache = cache;
    this.workingFolder = workingFolder;
  }

  /** The folder or archive with a complete copy of these parts; empty if there is none. */
  Optional<Path> locate(Catalog.Entry entry, Path dataDir, Set<Part> parts) {
    return candidates(entry, dataDir).stream().map(folder -> entry.layout().inspect(folder, parts))
        .filter(Presence::complete).map(Presence::location).findFirst();
  }

  /**
   * As {@link #locate}.
   *
   * @throws DataException if there is no complete copy; says what was looked for, where, and how to get it
   */
  Path require(Catalog.Entry entry, Path dataDir, Set<Part> parts) {
    if (dataDir != null && !Files.isDirectory(dataDir)) {
      throw new DataException("The data folder " + dataDir + " is "
          + (Files.exists(dataDir) ? "not a folder; give the folder that holds it." : "not there; check the path."));
    }
    return locate(entry, dataDir, parts).orElseThrow(() -> notFound(entry, dataDir, parts));
  }

  private DataException notFound(Catalog.Entry entry, Path dataDir, Set<Part> parts) {
    String title = entry.info().title();
    Optional<Presence> partial =
        candidates(entry, dataDir).stream()
            .filter(folder -> entry.layout().inspect(folder, Part.ALL).present())
            .map(folder -> entry.layout().inspect(folder, parts))
            .findFirst();
    if (partial.isPresent()) {
      return new DataException(title + " in " + partial.get().location() + " is incomplete, missing "
          + String.join(", ", partial.get().missing()) + " (plain, .gz or .xz); " + entry.source() + ".");
    }
    String places = dataDir == null
        ? roots().stream().map(Path::toString).collect(Collectors.joining(", "))
        : dataDir.toString();
    String folders = entry.folders().stream().filter(folder -> !folder.isEmpty()).collect(Collectors.joining(", "));
    return new DataException(title + " was not found: looked for " + entry.layout().describe() + " in " + places
        + " and its subfolders " + folders + "; " + entry.source() + ".");
  }

  /** The folders to look into, in order. */
  private List<Path> candidates(Catalog.Entry entry, Path dataDir) {
    List<Path> candidates = new ArrayList<>();
    for (Path root : dataDir == null ? roots() : List.of(dataDir)) {
      entry.folders().forEach(folder -> candidates.add(root.resolve(folder)));
    }
    if (dataDir != null) {
      candidates.add(dataDir);
    }
    return candidates;
  }

  /** The folder of data sets that downloads go to. */
  Path cache() {
    return cache;
  }

  private Set<Path> roots() {
    Set<Path> roots = new LinkedHashSet<>();
    variable("LAYERWISE_DATA").map(Path::of).ifPresent(roots::add);
    roots.add(workingFolder.resolve("data"));
    roots.add(cache);
    Stream.of(variable("XDG_DATA_DIRS").orElse(""), SYSTEM_DATA_FOLDERS)
        .flatMap(folders -> Stream.of(folders.split(":")))
        .filter(folder -> !folder.isEmpty())
        .forEach(folder -> roots.add(Path.of(folder).resolve("datasets")));
    return roots;
  }

  /** An environment variable; empty counts as unset. */
  private Optional<String> variable(String name) {
    return Optional.ofNullable(environment.get(name)).filter(value -> !value.isEmpty());
  }
}
