package dev.layerwise.data.stream;

/**
 * A decoded image.
 *
 * @param pixels red, green and blue levels in (H, W, 3) order
 */
record RgbImage(byte[] pixels, int height, int width) {
  /**
   * The image set upright.
   *
   * @param orientation as EXIF numbers them: 1 to 4 with rows as rows: as it is, mirrored, upside down, upside down and
   *     mirrored; 5 to 8 with columns as rows
   */
  RgbImage turned(int orientation) {
    if (orientation == 1) {
      return this;
    }
    int last = height * width - 1;
    return switch (orientation) {
      case 2 -> walked(height, width, width - 1, width, -1);
      case 3 -> walked(height, width, last, -width, -1);
      case 4 -> walked(height, width, last - (width - 1), -width, 1);
      case 5 -> walked(width, height, 0, 1, width);
      case 6 -> walked(width, height, last - (width - 1), 1, -width);
      case 7 -> walked(width, height, last, -1, -width);
      case 8 -> walked(width, height, width - 1, -1, width);
      default -> throw new IllegalArgumentException("orientation " + orientation);
    };
  }

  /**
   * An image whose rows are walks over the pixels of this one.
   *
   * @param start where the first row begins
   * @param nextRow how much further the next row begins
   * @param nextPixel how much further the next pixel of a row is
   */
  private RgbImage walked(int rows, int columns, int start, int nextRow, int nextPixel) {
    byte[] to = new byte[pixels.length];
    int at = 0;
    for (int row = 0; row < rows; row++) {
      int from = 3 * (start + row * nextRow);
      for (int column = 0; column < columns; column++) {
        to[at] = pixels[from];
        to[at + 1] = pixels[from + 1];
        to[at + 2] = pixels[from + 2];
        at += 3;
        from += 3 * nextPixel;
      }
    }
    return new RgbImage(to, rows, columns);
  }
}
