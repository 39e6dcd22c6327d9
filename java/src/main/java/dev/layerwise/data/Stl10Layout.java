package dev.layerwise.data;

import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * STL-10's binary version. Images are
 * planes of red, green and blue, column by column; labels are bytes 1 to 10 for the classes 0 to 9. There are no
 * headers. The unlabelled images are left alone.
 */
final class Stl10Layout implements ArchiveLayout {
  private static final String ARCHIVE = "stl10_binary.tar.gz";
  private static final String TRAIN_IMAGES = "train_X.bin";
  private static final String TRAIN_LABELS = "train_y.bin";
  private static final String TEST_IMAGES = "test_X.bin";
  private static final String TEST_LABELS = "test_y.bin";

  @Override
  public List<String> files(Part part) {
    return part == Part.TRAIN ? List.of(TRAIN_IMAGES, TRAIN_LABELS) : List.of(TEST_IMAGES, TEST_LABELS);
  }

  @Override
  public String archiveName() {
    return ARCHIVE;
  }

  @Override
  public PartReader reader(DataSetInfo info, Part part) {
    Map<String, ByteBuffer> contents = new HashMap<>();
    Map<String, String> inMessages = new HashMap<>();
    List<String> names = files(part);
    return new PartReader() {
      @Override
      public void read(DataFile file, String name) {
        contents.put(name, content(file, name, info));
        inMessages.put(name, file.name());
      }

      @Override
      public ImageSet images() {
        String images = names.get(0);
        String labels = names.get(1);
        return Stl10Layout.images(
            contents.get(images), inMessages.get(images), contents.get(labels), inMessages.get(labels), info);
      }
    };
  }

  private static ByteBuffer content(DataFile file, String name, DataSetInfo info) {
    int most = name.equals(TRAIN_IMAGES) || name.equals(TRAIN_LABELS) ? info.trainCount() : info.testCount();
    boolean labels = name.equals(TRAIN_LABELS) || name.equals(TEST_LABELS);
    int mostBytes = labels ? most : most * info.pixelsPerImage();
    PixelMemory bytes = file.memoryFor(mostBytes);
    file.readAtMost(mostBytes, bytes);
    if (!file.atEnd()) {
      throw new DataException(file.name() + " holds more than the " + most + (labels ? " labels" : " images")
          + " that this file of " + info.title() + " has; check that it is the right file.");
    }
    return bytes.content();
  }

  private static ImageSet images(
      ByteBuffer pixels, String imageFile, ByteBuffer bytes, String labelFile, DataSetInfo info) {
    int imageBytes = info.pixelsPerImage();
    if (pixels.limit() == 0 || pixels.limit() % imageBytes != 0) {
      throw new DataException(imageFile + " is cut off or not a file of " + info.title() + ": it has " + pixels.limit()
          + " bytes, which is not a number of whole images of " + imageBytes + " bytes; copy or download it again.");
    }
    if (pixels.limit() / imageBytes != bytes.limit()) {
      throw new DataException(imageFile + " holds " + pixels.limit() / imageBytes + " images but " + labelFile + " "
          + bytes.limit() + " labels; check that the two belong together.");
    }
    int[] labels = new int[bytes.limit()];
    for (int image = 0; image < labels.length; image++) {
      labels[image] = (bytes.get(image) & 0xff) - 1;
      if (labels[image] < 0 || labels[image] >= info.classes()) {
        throw new DataException(labelFile + " gives image " + image + " the label "
            + (labels[image] + 1) + ", where " + info.title() + " has 1 to " + info.classes()
            + "; check that it is the right file.");
      }
    }
    SquarePlanes.transpose(pixels, 0, info.height());
    return new ImageSet(pixels, labels, info.channels(), info.height(), info.width(), info.classes());
  }

  @Override
  public String describe() {
    return String.join(", ", TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES) + " and " + TEST_LABELS
        + " (plain, .gz or .xz) or " + ARCHIVE;
  }
}
