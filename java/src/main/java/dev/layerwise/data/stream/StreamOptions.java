package dev.layerwise.data.stream;

import dev.layerwise.data.DataException;
import dev.layerwise.settings.ImageShape;
import java.util.function.Consumer;

/**
 * How a folder of images is read.
 *
 * @param size height and width that the network sees
 * @param testResize what the shorter side of a test image is made, before its centre is cut out; at least {@code size}
 * @param threads that decode images
 * @param prefetch batches that are being made or are ready, beside the one that the caller has
 * @param strict whether an image that cannot be used ends the run; otherwise it is left out
 * @param exif whether an image is turned as its camera's mark of orientation (EXIF) says
 * @param skipped is told of every image that is left out, once, in a sentence, by the thread that takes batches; and
 *     before, once, how much a folder holds besides images
 */
public record StreamOptions(
    int size, int testResize, int threads, int prefetch, boolean strict, boolean exif, Consumer<String> skipped) {
  /** Most pixels of a side. */
  public static final int LARGEST_SIZE = 4096;

  /** Height and width that images are usually cut to: ImageNet's. */
  public static final int USUAL_SIZE = ImageShape.IMAGENET_SIDE;

  /**
   * One thread per core, three batches ahead.
   *
   * @param testResize {@code null}: in proportion to ImageNet's sizes
   */
  public static StreamOptions ofSize(
      int size, Integer testResize, boolean strict, boolean exif, Consumer<String> skipped) {
    int resize = testResize != null ? testResize : Math.min(LARGEST_SIZE, ImageShape.usualResize(size));
    return new StreamOptions(size, resize, Runtime.getRuntime().availableProcessors(), 3, strict, exif, skipped);
  }

  /**
   * Checks the numbers.
   *
   * @throws DataException if one is out of range
   */
  public StreamOptions {
    if (size < 1 || testResize < size || testResize > LARGEST_SIZE) {
      throw new DataException("Images can be cut to 1 to " + LARGEST_SIZE + " pixels, and test images are made no"
          + " smaller than that before; " + size + " and " + testResize + " do not fit.");
    }
    if (threads < 1 || prefetch < 1) {
      throw new DataException("Reading images needs at least one thread and one batch ahead, not " + threads + " and "
          + prefetch + ".");
    }
  }
}
