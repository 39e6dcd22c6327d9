package dev.layerwise.data;

import java.util.List;
import java.util.Map;
import java.util.Set;
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
  public Map<Part, ImageSet> load(DataCopy copy, Set<Part> parts) {
    copy.expect(files(parts));
    return Part.each(parts, part -> load(copy::open, copy.info(), part));
  }

  /** The copy that comes with Layerwise, in a resource folder named after the data set. */
  static Map<Part, ImageSet> loadEmbedded(DataSetInfo info, Set<Part> parts) {
    return Part.each(parts, part -> load(name -> DataFile.resource(info.name() + "/" + name + ".gz"), info, part));
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
