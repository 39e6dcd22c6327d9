package dev.layerwise.data.stream;

/**
 * Changes the size of part of an image, bilinearly: along each axis an output pixel is the mean of input pixels under a
 * triangle around its centre, which reaches to the next output pixel or the next input pixel, whichever is further. So
 * shrinking averages over all pixels, and does not leave some out. Rows first, then columns; both in float.
 */
final class Resampler {
  private Resampler() {}

  /**
   * A box of an image.
   *
   * @param left of its first column; boxes of test images begin between pixels
   */
  record Box(double top, double left, double height, double width) {}

  /**
   * Resizes a box to a square of planes. Pixels just outside the box count, too, where the image has them.
   *
   * @param target receives (3, size, size) bytes from {@code offset} on
   * @param flip whether to mirror it left to right
   */
  static void resize(RgbImage image, Box box, int size, boolean flip, byte[] target, int offset) {
    Axis rows = Axis.of(box.top(), box.height(), size, image.height());
    Axis columns = Axis.of(box.left(), box.width(), size, image.width());
    int firstRow = rows.first[0];
    int rowCount = rows.first[size - 1] + rows.weights[size - 1].length - firstRow;
    float[] narrowed = new float[rowCount * size * 3];
    for (int row = 0; row < rowCount; row++) {
      narrow(image, firstRow + row, columns, narrowed, row * size * 3);
    }
    for (int y = 0; y < size; y++) {
      float[] weights = rows.weights[y];
      int start = (rows.first[y] - firstRow) * size * 3;
      for (int x = 0; x < size; x++) {
        int column = flip ? size - 1 - x : x;
        for (int channel = 0; channel < 3; channel++) {
          float sum = 0;
          for (int k = 0; k < weights.length; k++) {
            sum += weights[k] * narrowed[start + (k * size + x) * 3 + channel];
          }
          // The weights sum to 1 but for rounding.
          target[offset + (channel * size + y) * size + column] = (byte) Math.min(255, Math.max(0, Math.round(sum)));
        }
      }
    }
  }

  private static void narrow(RgbImage image, int row, Axis columns, float[] narrowed, int at) {
    byte[] pixels = image.pixels();
    int rowStart = row * image.width() * 3;
    for (int x = 0; x < columns.first.length; x++) {
      float[] weights = columns.weights[x];
      float red = 0;
      float green = 0;
      float blue = 0;
      int pixel = rowStart + columns.first[x] * 3;
      for (float weight : weights) {
        red += weight * (pixels[pixel] & 0xff);
        green += weight * (pixels[pixel + 1] & 0xff);
        blue += weight * (pixels[pixel + 2] & 0xff);
        pixel += 3;
      }
      narrowed[at + 3 * x] = red;
      narrowed[at + 3 * x + 1] = green;
      narrowed[at + 3 * x + 2] = blue;
    }
  }

  /** For each output position along an axis, the first input position that counts, and the weights from there. */
  private record Axis(int[] first, float[][] weights) {
    static Axis of(double start, double length, int size, int inputSize) {
      double scale = length / size;
      double reach = Math.max(scale, 1);
      int[] first = new int[size];
      float[][] weights = new float[size][];
      for (int i = 0; i < size; i++) {
        double center = start + (i + 0.5) * scale;
        int from = Math.max((int) Math.floor(center - reach + 0.5), 0);
        int to = Math.min((int) Math.floor(center + reach + 0.5), inputSize);
        double[] triangle = new double[to - from];
        double sum = 0;
        for (int k = 0; k < triangle.length; k++) {
          triangle[k] = Math.max(0, 1 - Math.abs(from + k + 0.5 - center) / reach);
          sum += triangle[k];
        }
        first[i] = from;
        weights[i] = new float[triangle.length];
        for (int k = 0; k < triangle.length; k++) {
          weights[i][k] = (float) (triangle[k] / sum);
        }
      }
      return new Axis(first, weights);
    }
  }
}
