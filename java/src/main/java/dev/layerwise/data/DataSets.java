package dev.layerwise.data;

import dev.layerwise.files.UserFolders;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** The data sets that Layerwise can train on: what they are, where they lie, and their images. */
public final class DataSets {
  /** What the data set made of a folder of the user's own images is called; it is none of {@link #names}. */
  public static final String IMAGE_FOLDER = "image-folder";

  static final DataSetLocator LOCATOR =
      new DataSetLocator(System.getenv(), UserFolders.current().cache(), Path.of(""));

  private static final String UNPACKED = "unpacked"; // a folder of the cache

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
    return load(name, dataDir, ReadingListener.NONE);
  }

  /** The same, with a listener. */
  public static DataSet<ImageSet> load(String name, Path dataDir, ReadingListener listener) {
    Catalog.Entry entry = Catalog.entry(name);
    return dataSet(entry.info(), load(entry, dataDir, Part.ALL, listener));
  }

  /** The same for one part only: files of the other need not be there. */
  public static ImageSet load(String name, Path dataDir, Part part, ReadingListener listener) {
    return load(Catalog.entry(name), dataDir, Set.of(part), listener).get(part);
  }

  private static Map<Part, ImageSet> load(
      Catalog.Entry entry, Path dataDir, Set<Part> parts, ReadingListener listener) {
    if (usesEmbedded(entry, dataDir)) {
      return IdxLayout.loadEmbedded(entry.info(), parts);
    }
    Path location = LOCATOR.require(entry, dataDir, parts);
    UnpackedFiles unpacked = new UnpackedFiles(LOCATOR.cache().resolve(UNPACKED));
    return entry.layout().load(new DataCopy(location, entry.info(), unpacked, listener), parts);
  }

  static DataSet<ImageSet> dataSet(DataSetInfo info, Map<Part, ImageSet> parts) {
    return new DataSet<>(info, parts.get(Part.TRAIN), parts.get(Part.TEST));
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
    return usesEmbedded(entry, dataDir) ? Optional.empty() : LOCATOR.locate(entry, dataDir, Part.ALL);
  }

  /**
   * Throws {@link DataException}, as {@link #load} would, if there is no complete copy. Does not look into the files.
   *
   * @param dataDir as for {@link #load}
   */
  public static void requireFound(String name, Path dataDir) {
    Catalog.Entry entry = Catalog.entry(name);
    if (!usesEmbedded(entry, dataDir)) {
      LOCATOR.require(entry, dataDir, Part.ALL);
    }
  }

  static boolean usesEmbedded(Catalog.Entry entry, Path dataDir) {
    return dataDir == null && entry.info().embedded();
  }
}
