package dev.layerwise.data;

import java.util.Arrays;
import java.util.List;

/**
 * The binary format of CIFAR: records of one label byte (CIFAR-100: a coarse and a fine one) and the pixels of one
 * image, channel by channel, row by row. There is no header.
 */
final class CifarReader {
  private static final int FIRST_CAPACITY = 256;

  private CifarReader() {}

  /**
   * Reads a file of records; of two labels the fine one is kept.
   *
   * @param coarseClasses number of coarse classes; 0 if records have no coarse label
   * @param most the number of images in the official file; fewer are taken, more are not
   * @throws DataException if the file is damaged or is not of this data set
   */
  static ImageSet read(DataFile file, DataSetInfo info, int coarseClasses, int most) {
    int labelBytes = coarseClasses > 0 ? 2 : 1;
    int imageBytes = info.pixelsPerImage();
    byte[] record = new byte[labelBytes + imageBytes];
    byte[] pixels = new byte[0];
    int[] labels = new int[0];
    int count = 0;
    for (int length = file.read(record); length > 0; length = file.read(record)) {
      if (length < record.length) {
        throw new DataException(file.name() + " is cut off or not a file of " + info.title() + ": after " + count
            + " records of " + record.length + " bytes, " + length + " bytes are left; copy or download it again.");
      }
      if (count == most) {
        throw new DataException(file.name() + " holds more than the " + most + " images that this file of "
            + info.title() + " has; check that it is the right file.");
      }
      if (count == labels.length) {
        int capacity = Math.min(most, Math.max(FIRST_CAPACITY, 2 * count));
        pixels = Arrays.copyOf(pixels, capacity * imageBytes);
        labels = Arrays.copyOf(labels, capacity);
      }
      if (coarseClasses > 0) {
        checkedLabel(record[0], coarseClasses, "coarse label", count, file, info);
      }
      labels[count] = checkedLabel(record[labelBytes - 1], info.classes(), "label", count, file, info);
      System.arraycopy(record, labelBytes, pixels, count * imageBytes, imageBytes);
      count++;
    }
    if (count == 0) {
      throw new DataException(file.name() + " is empty; copy or download it again.");
    }
    if (count < labels.length) {
      pixels = Arrays.copyOf(pixels, count * imageBytes);
      labels = Arrays.copyOf(labels, count);
    }
    return new ImageSet(pixels, labels, info.channels(), info.height(), info.width(), info.classes());
  }

  private static int checkedLabel(byte value, int classes, String what, int image, DataFile file, DataSetInfo info) {
    int label = value & 0xff;
    if (label >= classes) {
      throw new DataException(file.name() + " gives image " + image + " the " + what + " " + label + ", where "
          + info.title() + " has 0 to " + (classes - 1) + "; check that it is the right file.");
    }
    return label;
  }

  /** The images of all parts, in order; the parts have one shape. */
  static ImageSet concatenate(List<ImageSet> parts) {
    if (parts.size() == 1) {
      return parts.get(0);
    }
    byte[] pixels = new byte[parts.stream().mapToInt(part -> part.pixels().length).sum()];
    int[] labels = new int[parts.stream().mapToInt(ImageSet::count).sum()];
    int pixelOffset = 0;
    int labelOffset = 0;
    for (ImageSet part : parts) {
      System.arraycopy(part.pixels(), 0, pixels, pixelOffset, part.pixels().length);
      System.arraycopy(part.labels(), 0, labels, labelOffset, part.count());
      pixelOffset += part.pixels().length;
      labelOffset += part.count();
    }
    ImageSet first = parts.get(0);
    return new ImageSet(pixels, labels, first.channels(), first.height(), first.width(), first.classes());
  }
}
