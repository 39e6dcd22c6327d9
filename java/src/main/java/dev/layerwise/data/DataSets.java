package dev.layerwise.data;

import dev.layerwise.files.UserFolders;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** The data sets that Layerwise can train on: what they are, where they lie, and their images. */
public final class DataSets {
  static final DataSetLocator LOCATOR =
      new DataSetLocator(System.getenv(), UserFolders.current().cache(), Path.of(""));

  private DataSets() {}

  /** The names that the other methods take. */
  public static List<String> names() {
    return Catalog.names();
  }

  /**
   * What is known about a data set without loading it.
   *
   * @throws DataException if the name is not known; lists those that are
   */
  public static DataSetInfo info(String name) {
    return Catalog.entry(name).info();
  }

  /**
   * Loads training and test images.
   *
   * @param dataDir the folder that holds the files, or one that holds a folder named after the data set; null: the
   *     copy that comes with Layerwise where there is one, otherwise the usual places
   * @throws DataException if the name is not known, or the files are missing, damaged or not of this data set
   */
  public static DataSet<ImageSet> load(String name, Path dataDir) {
    Catalog.Entry entry = Catalog.entry(name);
    if (usesEmbedded(entry, dataDir)) {
      return IdxLayout.loadEmbedded(entry.info());
    }
    return entry.layout().load(LOCATOR.require(entry, dataDir), entry.info());
  }

  /**
   * The folder or archive that {@link #load} would read; empty if there is no complete copy on disk, or if the copy
   * that comes with Layerwise would be read. Does not look into the files.
   *
   * @param dataDir as for {@link #load}
   * @throws DataException if the name is not known
   */
  public static Optional<Path> locate(String name, Path dataDir) {
    Catalog.Entry entry = Catalog.entry(name);
    return usesEmbedded(entry, dataDir) ? Optional.empty() : LOCATOR.locate(entry, dataDir);
  }

  static boolean usesEmbedded(Catalog.Entry entry, Path dataDir) {
    return dataDir == null && entry.info().embedded();
  }
}
