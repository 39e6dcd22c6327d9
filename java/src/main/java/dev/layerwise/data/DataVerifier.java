package dev.layerwise.data;

import dev.layerwise.data.Verification.Evidence;
import dev.layerwise.data.download.Checksums;
import dev.layerwise.files.FileErrors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Checks whether a copy of a data set is whole. */
final class DataVerifier {
  private DataVerifier() {}

  /** Checks the copy that comes with Layerwise. */
  static Verification verifyEmbedded(DataSetInfo info) {
    checkCounts(DataSets.dataSet(info, IdxLayout.loadEmbedded(info, Part.ALL)), "The copy that comes with Layerwise");
    return new Verification(info.name(), Optional.empty(), Evidence.CONTENT);
  }

  /**
   * Checks a copy by the strongest evidence that there is.
   *
   * @param location a folder or archive with a complete copy, as the locator found it
   * @throws DataException if it is not whole; names the file
   */
  static Verification verify(Catalog.Entry entry, Path location) {
    return new Verification(entry.info().name(), Optional.of(location), evidence(entry, location));
  }

  private static Evidence evidence(Catalog.Entry entry, Path location) {
    if (hasPublishedChecksums(entry.download(), location)) {
      return Evidence.PUBLISHED_CHECKSUMS;
    }
    // Archives have their files in a folder of their own: the checksums are beside the files or beside that folder.
    for (Path folder : List.of(location, location.resolveSibling("."))) {
      if (InstalledChecksums.exist(folder)) {
        InstalledChecksums.check(folder.normalize());
        return Evidence.INSTALLED_CHECKSUMS;
      }
    }
    DataCopy copy = new DataCopy(location, entry.info(), null, ReadingListener.NONE);
    checkCounts(DataSets.dataSet(entry.info(), entry.layout().load(copy, Part.ALL)), location.toString());
    return Evidence.CONTENT;
  }

  /** Whether every file that the authors offer is there and has its md5. */
  private static boolean hasPublishedChecksums(Download download, Path location) {
    boolean packed = Files.isRegularFile(location);
    return !download.files().isEmpty() && download.files().stream().allMatch(file -> {
      boolean itself = packed && location.endsWith(file.name());
      return (itself || !packed && !file.archive()) && matches(itself ? location : location.resolve(file.name()), file);
    });
  }

  static boolean matches(Path path, Download.RemoteFile file) {
    try {
      return Files.isRegularFile(path) && Checksums.md5(path).equals(file.md5());
    } catch (IOException e) {
      throw new DataException("Cannot read " + path + ": " + FileErrors.reason(e) + ".", e);
    }
  }

  private static void checkCounts(DataSet<ImageSet> data, String where) {
    DataSetInfo info = data.info();
    if (data.train().count() != info.trainCount() || data.test().count() != info.testCount()) {
      throw new DataException(where + " holds " + data.train().count() + " training and " + data.test().count()
          + " test images, where " + info.title() + " has " + info.trainCount() + " and " + info.testCount()
          + "; fetch or copy it again.");
    }
  }
}
