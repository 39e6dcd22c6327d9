package dev.layerwise.data;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Mean and standard deviation of pixel / 255, per channel.
 *
 * @param mean per channel
 * @param deviation per channel
 */
record PixelStatistics(double[] mean, double[] deviation) {
  /** The published values are rounded to three decimals, or four. */
  private static final double ROUNDING = 0.0005;

  /**
   * The statistics over all crops of an image's own size from a frame of black pixels; padding 0: of the images. A
   * pixel is in (number of offsets that keep its row) · (… its column) of the (2·padding + 1)² crops.
   */
  static PixelStatistics of(ImageSet images, int padding) {
    double[] mean = new double[images.channels()];
    double[] deviation = new double[images.channels()];
    int plane = images.height() * images.width();
    double count = (double) images.count() * plane * (2 * padding + 1) * (2 * padding + 1);
    for (int channel = 0; channel < images.channels(); channel++) {
      long sum = 0;
      long squares = 0;
      for (int image = 0; image < images.count(); image++) {
        int start = (image * images.channels() + channel) * plane;
        for (int row = 0; row < images.height(); row++) {
          for (int column = 0; column < images.width(); column++) {
            int value = images.pixels().get(start + row * images.width() + column) & 0xff;
            int crops = keeping(row, images.height(), padding) * keeping(column, images.width(), padding);
            sum += (long) crops * value;
            squares += (long) crops * value * value;
          }
        }
      }
      mean[channel] = sum / count / 255;
      deviation[channel] = Math.sqrt(squares / count / 255 / 255 - mean[channel] * mean[channel]);
    }
    return new PixelStatistics(mean, deviation);
  }

  /** Of the offsets -padding … padding, those that keep the position within 0 … size − 1. */
  private static int keeping(int position, int size, int padding) {
    return Math.min(padding, position) + Math.min(padding, size - 1 - position) + 1;
  }

  void assertAgree(DataSetInfo info) {
    for (int channel = 0; channel < info.channels(); channel++) {
      assertThat(Math.abs(mean[channel] - info.mean()[channel])).as("mean %s", mean[channel])
          .isLessThanOrEqualTo(ROUNDING);
      assertThat(Math.abs(deviation[channel] - info.deviation()[channel])).as("deviation %s", deviation[channel])
          .isLessThanOrEqualTo(ROUNDING);
    }
  }
}
