package dev.layerwise.data;

import java.nio.ByteBuffer;
import java.util.Locale;

/**
 * The IDX format of MNIST and its relatives: a big-endian magic number (two zero bytes, the element type, the number of
 * dimensions), one 32-bit size per dimension, then the elements, here unsigned bytes. Images are (N, H, W), labels (N).
 */
final class IdxReader {
  private static final int IMAGES_MAGIC = 0x0803;
  private static final int LABELS_MAGIC = 0x0801;
  /** The longest array that every Java virtual machine can make. */
  private static final int LONGEST_ARRAY = Integer.MAX_VALUE - 8;

  private IdxReader() {}

  /**
   * Reads images and their labels. Any number of images is taken; their size and the classes must be the data set's.
   *
   * @throws DataException if a file is damaged, is not what it should be, or the two do not belong together
   */
  static ImageSet read(DataFile images, DataFile labels, DataSetInfo info) {
    checkMagic(images, IMAGES_MAGIC);
    long count = dimension(images);
    long height = dimension(images);
    long width = dimension(images);
    if (height != info.height() || width != info.width()) {
      throw new DataException(images.name() + " holds images of " + height + "×" + width + " pixels, where "
          + info.title() + " has " + info.height() + "×" + info.width() + "; check that it is the right file.");
    }
    if (count == 0 || count > LONGEST_ARRAY / info.pixelsPerImage()) {
      throw new DataException(images.name() + " announces " + count + " images, where 1 to "
          + LONGEST_ARRAY / info.pixelsPerImage() + " can be loaded; download it again.");
    }
    checkMagic(labels, LABELS_MAGIC);
    long labelCount = dimension(labels);
    if (labelCount != count) {
      throw new DataException(images.name() + " announces " + count + " images but " + labels.name() + " announces "
          + labelCount + " labels; check that the two belong together.");
    }
    int[] classes = readLabels(labels, (int) count, info);
    int bytes = (int) count * info.pixelsPerImage();
    PixelMemory pixels = images.memoryFor(bytes);
    images.read(bytes, pixels, "the " + count + " images it announces");
    checkEnd(images, count + " images");
    return new ImageSet(pixels.content(), classes, info.channels(), info.height(), info.width(), info.classes());
  }

  private static int[] readLabels(DataFile file, int count, DataSetInfo info) {
    byte[] bytes = file.read(count, "the " + count + " labels it announces");
    checkEnd(file, count + " labels");
    int[] labels = new int[count];
    for (int image = 0; image < count; image++) {
      labels[image] = bytes[image] & 0xff;
      if (labels[image] >= info.classes()) {
        throw new DataException(file.name() + " gives image " + image + " the label " + labels[image] + ", where "
            + info.title() + " has 0 to " + (info.classes() - 1) + "; check that it is the right file.");
      }
    }
    return labels;
  }

  private static void checkMagic(DataFile file, int expected) {
    int magic = ByteBuffer.wrap(file.read(4, "its magic number")).getInt();
    if (magic == expected) {
      return;
    }
    String wanted = expected == IMAGES_MAGIC ? "images" : "labels";
    if (magic == IMAGES_MAGIC || magic == LABELS_MAGIC) {
      throw new DataException(file.name() + " is an IDX file of " + (magic == IMAGES_MAGIC ? "images" : "labels")
          + ", where one of " + wanted + " is expected; check that the two are not swapped.");
    }
    throw new DataException(String.format(Locale.ROOT, "%s is not an IDX file of %s: it begins with %08x instead of %08x.",
        file.name(), wanted, magic, expected));
  }

  /** The next size of the header; they are unsigned. */
  private static long dimension(DataFile file) {
    return ByteBuffer.wrap(file.read(4, "its header")).getInt() & 0xffffffffL;
  }

  private static void checkEnd(DataFile file, String content) {
    if (!file.atEnd()) {
      throw new DataException(file.name() + " goes on after the " + content + " it announces; download it again.");
    }
  }
}
