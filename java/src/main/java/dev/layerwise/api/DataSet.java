package dev.layerwise.api;

import dev.layerwise.LayerwiseException;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.DataSets;
import dev.layerwise.data.ImageSet;
import dev.layerwise.data.stream.ImageFolder;
import dev.layerwise.data.stream.StreamOptions;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;

/**
 * Labelled images to train on and to test with. Immutable, as long as the arrays or files that it was made of are left
 * as they are.
 */
public final class DataSet {
  private final dev.layerwise.data.DataSet<?> data;

  private DataSet(dev.layerwise.data.DataSet<?> data) {
    this.data = data;
  }

  /**
   * A known data set from the usual places, or, for {@code digits}, from the program itself.
   *
   * @param name one of {@link #names}
   * @return the data set, read
   * @throws LayerwiseException if there is none of that name, or its files are not found or damaged
   */
  public static DataSet named(String name) {
    return new DataSet(DataSets.load(name, null));
  }

  /**
   * A known data set from a folder.
   *
   * @param name one of {@link #names}
   * @param folder with its files in their original format
   * @return the data set, read
   * @throws LayerwiseException if there is none of that name, or its files are not found or damaged
   */
  public static DataSet named(String name, Path folder) {
    return new DataSet(DataSets.load(name, folder));
  }

  /**
   * The data sets that are known.
   *
   * @return names that {@link #named(String)} takes
   */
  public static List<String> names() {
    return DataSets.names();
  }

  /**
   * One's own image files: {@code folder/train/CLASS/*.jpg} and {@code folder/val/CLASS/*.jpg}, or PNG, GIF, BMP or
   * TIFF files, also in folders below. They stay on disk and are read ahead, batch by batch; training images are cropped
   * and mirrored at random. An image is turned as its camera's mark of orientation (EXIF) says.
   *
   * @param folder with train and val
   * @param size side to which images are cut, in pixels
   * @param skipped told, in a sentence each, what the folder holds besides images that are read, if anything, and every
   *     image that cannot be used and is left out
   * @return the data set, listed but not read
   * @throws LayerwiseException if the folder is not such a folder
   */
  public static DataSet imageFolder(Path folder, int size, Consumer<String> skipped) {
    return imageFolder(folder, size, true, skipped);
  }

  /**
   * The same, with a choice.
   *
   * @param folder with train and val
   * @param size side to which images are cut, in pixels
   * @param exif whether an image is turned as its camera's mark of orientation (EXIF) says; false: pixels are taken as
   *     they are stored
   * @param skipped told, in a sentence each, what the folder holds besides images that are read, if anything, and every
   *     image that cannot be used and is left out
   * @return the data set, listed but not read
   * @throws LayerwiseException if the folder is not such a folder
   */
  public static DataSet imageFolder(Path folder, int size, boolean exif, Consumer<String> skipped) {
    return new DataSet(ImageFolder.open(folder, StreamOptions.ofSize(size, null, false, exif, skipped)));
  }

  /**
   * The same, with a choice of how much of a test image is cut off.
   *
   * @param folder with train and val
   * @param size side to which images are cut, in pixels
   * @param resize what the shorter side of a test image is made before its centre is cut out, in pixels, at least
   *     {@code size}; 256/224 of it where this is not said
   * @param exif whether an image is turned as its camera's mark of orientation (EXIF) says; false: pixels are taken as
   *     they are stored
   * @param skipped told, in a sentence each, what the folder holds besides images that are read, if anything, and every
   *     image that cannot be used and is left out
   * @return the data set, listed but not read
   * @throws LayerwiseException if the folder is not such a folder, or the numbers do not fit together
   */
  public static DataSet imageFolder(Path folder, int size, int resize, boolean exif, Consumer<String> skipped) {
    return new DataSet(ImageFolder.open(folder, StreamOptions.ofSize(size, resize, false, exif, skipped)));
  }

  /**
   * Images of one's own in memory. They are normalized by the mean and the standard deviation of the training images'
   * channels. The command line does not have them: it can use a model of them, but neither evaluate nor resume it.
   *
   * @param name that models remember; none of {@link #names}, nor {@code image-folder}
   * @param classNames in the order of the labels
   * @param channels 1 or more
   * @param height in pixels
   * @param width in pixels
   * @param trainPixels levels 0 to 255 in (N, C, H, W) order; not copied
   * @param trainLabels a class number for each image; not copied
   * @param testPixels as the training images
   * @param testLabels as the training images
   * @return the data set
   * @throws LayerwiseException if numbers do not fit together, or the name is that of other images
   */
  public static DataSet of(
      String name, List<String> classNames, int channels, int height, int width, byte[] trainPixels, int[] trainLabels,
      byte[] testPixels, int[] testLabels) {
    if (DataSets.names().contains(name) || name.equals(ImageFolder.NAME)) {
      throw new LayerwiseException(
          "'" + name + "' is the name of a data set that Layerwise knows; give images of your own another");
    }
    ImageSet train = new ImageSet(trainPixels, trainLabels, channels, height, width, classNames.size());
    ImageSet test = new ImageSet(testPixels, testLabels, channels, height, width, classNames.size());
    float[] mean = new float[channels];
    float[] deviation = new float[channels];
    for (int channel = 0; channel < channels; channel++) {
      measure(train, channel, mean, deviation);
    }
    DataSetInfo info =
        new DataSetInfo(
            name, name, channels, height, width, train.count(), test.count(), classNames, mean, deviation, 0, false,
            false);
    return new DataSet(new dev.layerwise.data.DataSet<>(info, train, test));
  }

  /** Mean and deviation of level / 255 in a channel. */
  private static void measure(ImageSet images, int channel, float[] mean, float[] deviation) {
    int plane = images.height() * images.width();
    double sum = 0;
    double squares = 0;
    for (int image = 0; image < images.count(); image++) {
      int start = (image * images.channels() + channel) * plane;
      for (int i = start; i < start + plane; i++) {
        double level = (images.pixels().get(i) & 0xff) / 255.0;
        sum += level;
        squares += level * level;
      }
    }
    double count = (double) images.count() * plane;
    double variance = squares / count - sum / count * (sum / count);
    mean[channel] = (float) (sum / count);
    deviation[channel] = variance > 1e-12 ? (float) Math.sqrt(variance) : 1; // levels that are all the same
  }

  /**
   * How it was asked for.
   *
   * @return the name
   */
  public String name() {
    return data.info().name();
  }

  /**
   * The classes.
   *
   * @return their names, in the order of the labels
   */
  public List<String> classNames() {
    return data.info().classNames();
  }

  /**
   * Channels of an image.
   *
   * @return 1 (grey), 3 (red, green, blue) or another number
   */
  public int channels() {
    return data.info().channels();
  }

  /**
   * Height of an image.
   *
   * @return in pixels
   */
  public int height() {
    return data.info().height();
  }

  /**
   * Width of an image.
   *
   * @return in pixels
   */
  public int width() {
    return data.info().width();
  }

  /**
   * Number of images to learn from.
   *
   * @return at least 1
   */
  public int trainCount() {
    return data.train().count();
  }

  /**
   * Number of images to judge by.
   *
   * @return at least 1
   */
  public int testCount() {
    return data.test().count();
  }

  /**
   * A test image in memory.
   *
   * @param index from 0
   * @return levels in (C, H, W) order
   * @throws LayerwiseException if the images are files, which {@link Model#read(Path)} reads
   */
  public byte[] testImage(int index) {
    if (!(data.test() instanceof ImageSet images)) {
      throw new LayerwiseException("the images of " + name() + " stay on disk; read them with Model.read");
    }
    return images.pixels(index);
  }

  /**
   * The class of a test image.
   *
   * @param index from 0
   * @return position in {@link #classNames}
   */
  public int testLabel(int index) {
    return data.test().labels()[index];
  }

  dev.layerwise.data.DataSet<?> loaded() {
    return data;
  }
}
