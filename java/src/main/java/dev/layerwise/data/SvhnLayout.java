package dev.layerwise.data;

import java.nio.file.Path;
import java.util.List;

/**
 * SVHN's cropped digits, three MAT files. Training images are those of train_32x32.mat followed by those of
 * extra_32x32.mat; both are needed, since the published results are for both together.
 */
final class SvhnLayout implements DataSetLayout {
  private static final String TRAIN = "train_32x32.mat";
  private static final String EXTRA = "extra_32x32.mat";
  private static final String TEST = "test_32x32.mat";
  private static final int TRAIN_COUNT = 73_257;
  private static final int EXTRA_COUNT = 531_131;

  @Override
  public List<String> files(Part part) {
    return part == Part.TRAIN ? List.of(TRAIN, EXTRA) : List.of(TEST);
  }

  @Override
  public ImageSet load(Path location, DataSetInfo info, Part part) {
    if (part == Part.TEST) {
      return read(location, TEST, info, info.testCount(), null);
    }
    return read(location, EXTRA, info, EXTRA_COUNT, read(location, TRAIN, info, TRAIN_COUNT, null));
  }

  private static ImageSet read(Path folder, String name, DataSetInfo info, int most, ImageSet before) {
    try (DataFile file = DataFile.open(folder, name)) {
      return new SvhnReader(file, info, most, before).read();
    }
  }

  @Override
  public String describe() {
    return TRAIN + ", " + EXTRA + " and " + TEST;
  }
}
