package dev.layerwise.report;

import dev.layerwise.LayerwiseException;
import dev.layerwise.files.FileErrors;
import dev.layerwise.run.RunDirectory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * The runs in what a user names: runs, folders of runs such as {@code reproduce} makes, and whatever else a pattern like
 * {@code runs/*} may match.
 *
 * @param folders of the runs, in the order named; those below a folder by name
 * @param leftOut a sentence for each path that holds no run
 */
public record RunFinder(List<Path> folders, List<String> leftOut) {
  /** Runs of a reproduction lie in PRESET/seed-N. */
  private static final int DEPTH = 2;

  /** Those of a reproduction or a sweep below a folder of all kinds of runs; some users sort theirs into folders. */
  private static final int DEPTH_OF_ALL = 6;

  /**
   * Looks for runs.
   *
   * @throws LayerwiseException if a path is missing, a folder cannot be read, or there is no run in any of them
   */
  public static RunFinder find(List<Path> paths) {
    return find(paths, DEPTH);
  }

  /** All runs below a folder, those in folders of folders too; throws as {@link #find} does. */
  public static RunFinder findAll(Path folder) {
    return find(List.of(folder), DEPTH_OF_ALL);
  }

  private static RunFinder find(List<Path> paths, int depth) {
    List<Path> found = new ArrayList<>();
    List<String> leftOut = new ArrayList<>();
    for (Path path : paths) {
      if (!Files.exists(path)) {
        throw new LayerwiseException("there is no folder " + path + "; give a run's folder, as 'layerwise train' makes it");
      }
      List<Path> runs = isRun(path) ? List.of(path) : below(path, depth);
      found.addAll(runs);
      if (runs.isEmpty()) {
        leftOut.add(path + " holds no run and is left out");
      }
    }
    if (found.isEmpty()) {
      String names = String.join(", ", paths.stream().map(Path::toString).toList());
      throw new LayerwiseException(
          names + (paths.size() == 1 ? " is not a run, and holds none" : " hold no runs") + ": there is no " + RunDirectory.CONFIG
              + "; give a run's folder, as 'layerwise train' makes it");
    }
    return new RunFinder(found, leftOut);
  }

  private static boolean isRun(Path folder) {
    return Files.exists(folder.resolve(RunDirectory.CONFIG));
  }

  private static List<Path> below(Path folder, int depth) {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> inside = Files.walk(folder, depth)) {
      return inside.filter(Files::isDirectory).filter(RunFinder::isRun).sorted().toList();
    } catch (UncheckedIOException e) { // of a folder inside
      throw unreadable(folder, e.getCause());
    } catch (IOException e) {
      throw unreadable(folder, e);
    }
  }

  private static LayerwiseException unreadable(Path folder, IOException e) {
    return new LayerwiseException("cannot read " + folder + " (" + FileErrors.reason(e) + ")", e);
  }
}
