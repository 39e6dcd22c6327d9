package dev.layerwise.data;

import java.util.Arrays;

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
   * @param pixels to which the images' are added
   * @return the labels
   * @throws DataException if the file is damaged or is not of this data set
   */
  static int[] read(DataFile file, DataSetInfo info, int coarseClasses, int most, PixelMemory pixels) {
    int labelBytes = coarseClasses > 0 ? 2 : 1;
    int imageBytes = info.pixelsPerImage();
    byte[] record = new byte[labelBytes + imageBytes];
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
        labels = Arrays.copyOf(labels, Math.min(most, Math.max(FIRST_CAPACITY, 2 * count)));
      }
      if (coarseClasses > 0) {
        checkedLabel(record[0], coarseClasses, "coarse label", count, file, info);
      }
      labels[count] = checkedLabel(record[labelBytes - 1], info.classes(), "label", count, file, info);
      pixels.put(record, labelBytes, imageBytes);
      count++;
    }
    if (count == 0) {
      throw new DataException(file.name() + " is empty; copy or download it again.");
    }
    return count < labels.length ? Arrays.copyOf(labels, count) : labels;
  }

  private static int checkedLabel(byte value, int classes, String what, int image, DataFile file, DataSetInfo info) {
    int label = value & 0xff;
    if (label >= classes) {
      throw new DataException(file.name() + " gives image " + image + " the " + what + " " + label + ", where "
          + info.title() + " has 0 to " + (classes - 1) + "; check that it is the right file.");
    }
    return label;
  }
}
