package dev.layerwise.data;

import java.nio.file.Path;
import java.util.List;
import java.util.function.Function;

/** Four IDX files under the names that MNIST gave them, each plain, .gz or .xz. */
final class IdxLayout implements DataSetLayout {
  private static final String TRAIN_IMAGES = "train-images-idx3-ubyte";
  private static final String TRAIN_LABELS = "train-labels-idx1-ubyte";
  private static final String TEST_IMAGES = "t10k-images-idx3-ubyte";
  private static final String TEST_LABELS = "t10k-labels-idx1-ubyte";

  @Override
  public List<String> files() {
    return List.of(TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS);
  }

  @Override
  public Presence inspect(Path folder) {
    return DataSetLayout.inspectFiles(folder, files());
  }

  @Override
  public DataSet<ImageSet> load(Path location, DataSetInfo info) {
    return load(name -> DataFile.open(DataFile.find(location, name).orElse(location.resolve(name))), info);
  }

  /** The copy that comes with Layerwise, in a resource folder named after the data set. */
  static DataSet<ImageSet> loadEmbedded(DataSetInfo info) {
    return load(name -> DataFile.resource(info.name() + "/" + name + ".gz"), info);
  }

  private static DataSet<ImageSet> load(Function<String, DataFile> open, DataSetInfo info) {
    return new DataSet<>(info, read(open, TRAIN_IMAGES, TRAIN_LABELS, info), read(open, TEST_IMAGES, TEST_LABELS, info));
  }

  private static ImageSet read(Function<String, DataFile> open, String images, String labels, DataSetInfo info) {
    try (DataFile imageFile = open.apply(images); DataFile labelFile = open.apply(labels)) {
      return IdxReader.read(imageFile, labelFile, info);
    }
  }

  @Override
  public String describe() {
    return TRAIN_IMAGES + ", " + TRAIN_LABELS + ", " + TEST_IMAGES + " and " + TEST_LABELS + " (plain, .gz or .xz)";
  }
}
