package dev.layerwise.data;

import dev.layerwise.files.UserFolders;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Function;

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
    return parts(entry.info(), reader(entry, dataDir, Part.ALL));
  }

  /** The same for one part only: files of the other need not be there. */
  public static ImageSet load(String name, Path dataDir, Part part) {
    return reader(Catalog.entry(name), dataDir, Set.of(part)).apply(part);
  }

  /** Reads any of these parts, which are all there. */
  private static Function<Part, ImageSet> reader(Catalog.Entry entry, Path dataDir, Set<Part> parts) {
    if (usesEmbedded(entry, dataDir)) {
      return part -> IdxLayout.loadEmbedded(entry.info(), part);
    }
    Path location = LOCATOR.require(entry, dataDir, parts);
    return part -> entry.layout().load(location, entry.info(), part);
  }

  /** Both parts, read at the same time: unpacking keeps a core busy. */
  static DataSet<ImageSet> parts(DataSetInfo info, Function<Part, ImageSet> load) {
    CompletableFuture<ImageSet> test = CompletableFuture.supplyAsync(() -> load.apply(Part.TEST));
    ImageSet train = load.apply(Part.TRAIN);
    try {
      return new DataSet<>(info, train, test.join());
    } catch (CompletionException e) {
      if (e.getCause() instanceof DataException problem) {
        throw problem;
      }
      throw e;
    }
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

  static boolean usesEmbedded(Catalog.Entry entry, Path dataDir) {
    return dataDir == null && entry.info().embedded();
  }
}
