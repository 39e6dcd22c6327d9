package dev.layerwise.data;

import java.util.List;
import java.util.Map;
import java.util.Set;

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
  public Map<Part, ImageSet> load(DataCopy copy, Set<Part> parts) {
    copy.expect(files(parts));
    return Part.each(
        parts,
        part -> part == Part.TEST
            ? read(copy, TEST, copy.info().testCount(), null)
            : read(copy, EXTRA, EXTRA_COUNT, read(copy, TRAIN, TRAIN_COUNT, null)));
  }

  private static ImageSet read(DataCopy copy, String name, int most, ImageSet before) {
    try (DataFile file = copy.open(name)) {
      return new SvhnReader(file, copy.info(), most, before).read();
    } catch (NoClassDefFoundError e) {
      throw new DataException(
          copy.info().title() + " is read with the library us.hebi.matlab.mat:mfl-core, which is not on the class path; add it"
              + " to the program's dependencies.", e);
    }
  }

  @Override
  public String describe() {
    return TRAIN + ", " + EXTRA + " and " + TEST;
  }
}
