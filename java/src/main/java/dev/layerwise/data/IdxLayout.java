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
  public List<String> files(Part part) {
    return part == Part.TRAIN ? List.of(TRAIN_IMAGES, TRAIN_LABELS) : List.of(TEST_IMAGES, TEST_LABELS);
  }

  @Override
  public ImageSet load(Path location, DataSetInfo info, Part part) {
    return load(name -> DataFile.open(location, name), info, part);
  }

  /** The copy that comes with Layerwise, in a resource folder named after the data set. */
  static ImageSet loadEmbedded(DataSetInfo info, Part part) {
    return load(name -> DataFile.resource(info.name() + "/" + name + ".gz"), info, part);
  }

  private static ImageSet load(Function<String, DataFile> open, DataSetInfo info, Part part) {
    boolean train = part == Part.TRAIN;
    try (DataFile imageFile = open.apply(train ? TRAIN_IMAGES : TEST_IMAGES);
        DataFile labelFile = open.apply(train ? TRAIN_LABELS : TEST_LABELS)) {
      return IdxReader.read(imageFile, labelFile, info);
    }
  }

  @Override
  public String describe() {
    return TRAIN_IMAGES + ", " + TRAIN_LABELS + ", " + TEST_IMAGES + " and " + TEST_LABELS + " (plain, .gz or .xz)";
  }
}
