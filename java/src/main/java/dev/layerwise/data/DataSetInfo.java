package dev.layerwise.data;

import java.util.List;

/**
 * What is known about a data set before it is loaded.
 *
 * @param name how it is asked for: "fashion-mnist"
 * @param title how it is written: "Fashion-MNIST"
 * @param channels C, 1 or 3
 * @param height pixels
 * @param width pixels
 * @param trainCount training images of a full copy
 * @param testCount test images of a full copy
 * @param classNames one name per class, in the order of the labels
 * @param mean per channel, of pixel / 255 over the training images; CIFAR's published values are over their random
 *     crops, black padding included
 * @param deviation per channel, the standard deviation that goes with {@code mean}
 * @param cropPadding black pixels around a training image before it is cropped at random to its own size; 0: no crop
 * @param horizontalFlip whether half of the training images are mirrored
 * @param embedded whether a copy comes with Layerwise
 * @param resize of images in files: what the shorter side of a test image is made before its centre is cut out; null: the
 *     images are in memory, all of this size
 */
public record DataSetInfo(String name, String title, int channels, int height, int width, int trainCount,
    int testCount, List<String> classNames, float[] mean, float[] deviation, int cropPadding, boolean horizontalFlip,
    boolean embedded, Integer resize) {
  /** Copies what could be changed from outside. */
  public DataSetInfo {
    classNames = List.copyOf(classNames);
    mean = mean.clone();
    deviation = deviation.clone();
  }

  /** One of images in memory. */
  public DataSetInfo(String name, String title, int channels, int height, int width, int trainCount, int testCount,
      List<String> classNames, float[] mean, float[] deviation, int cropPadding, boolean horizontalFlip,
      boolean embedded) {
    this(name, title, channels, height, width, trainCount, testCount, classNames, mean, deviation, cropPadding,
        horizontalFlip, embedded, null);
  }

  /** Number of classes. */
  public int classes() {
    return classNames.size();
  }

  /** Bytes of one image, C·H·W. */
  public int pixelsPerImage() {
    return channels * height * width;
  }

  /** A copy of the means, one per channel. */
  @Override
  public float[] mean() {
    return mean.clone();
  }

  /** A copy of the standard deviations, one per channel. */
  @Override
  public float[] deviation() {
    return deviation.clone();
  }
}
