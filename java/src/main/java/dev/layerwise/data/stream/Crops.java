package dev.layerwise.data.stream;

import dev.layerwise.data.stream.Resampler.Box;
import java.util.Random;

/** Which part of an image is used. */
final class Crops {
  private static final double WIDEST = 4.0 / 3;
  /** The ratios' logarithms go from this below 0 to this above. StrictMath: the same on every machine. */
  private static final double LOG_WIDEST = StrictMath.log(WIDEST);
  private static final int TRIES = 10;

  private Crops() {}

  /**
   * A random resized crop (Szegedy et al. 2015, "Going deeper with convolutions", section 6): from a part to 100 % of
   * the area, width to height 3:4 to 4:3, the ratio's logarithm uniform. If ten such boxes do not fit into the image, the
   * largest box of an allowed ratio in its centre.
   *
   * @param leastArea the part, usually 0.08
   */
  static Box random(int height, int width, double leastArea, Random random) {
    double area = (double) height * width;
    for (int attempt = 0; attempt < TRIES; attempt++) {
      double boxArea = area * (leastArea + (1 - leastArea) * random.nextDouble());
      double ratio = StrictMath.exp(LOG_WIDEST * (2 * random.nextDouble() - 1));
      int boxWidth = (int) Math.round(Math.sqrt(boxArea * ratio));
      int boxHeight = (int) Math.round(Math.sqrt(boxArea / ratio));
      if (boxWidth > 0 && boxWidth <= width && boxHeight > 0 && boxHeight <= height) {
        int top = random.nextInt(height - boxHeight + 1);
        int left = random.nextInt(width - boxWidth + 1);
        return new Box(top, left, boxHeight, boxWidth);
      }
    }
    int boxWidth = (int) Math.max(1, Math.min(width, Math.round(height * WIDEST)));
    int boxHeight = (int) Math.max(1, Math.min(height, Math.round(width * WIDEST)));
    return new Box((height - boxHeight) / 2, (width - boxWidth) / 2, boxHeight, boxWidth);
  }

  /**
   * The centre of an image: what is left when it is resized so that its shorter side is {@code resize} pixels and a
   * square of {@code size} is cut from the centre; in pixels of the image itself, so that it is resized only once.
   */
  static Box center(int height, int width, int size, int resize) {
    double side = (double) Math.min(height, width) * size / resize;
    return new Box((height - side) / 2, (width - side) / 2, side, side);
  }
}
