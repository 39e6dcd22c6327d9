package dev.layerwise.data;

/** Planes of pixels that lie column by column, as MATLAB writes them. */
final class SquarePlanes {
  private SquarePlanes() {}

  /**
   * Transposes whole square planes where they lie, from column by column to row by row.
   *
   * @param pixels planes of side × side bytes from {@code start} to the end of the array
   */
  static void transpose(byte[] pixels, int start, int side) {
    for (int plane = start; plane < pixels.length; plane += side * side) {
      for (int row = 1; row < side; row++) {
        for (int column = 0; column < row; column++) {
          int below = plane + row * side + column;
          int above = plane + column * side + row;
          byte pixel = pixels[below];
          pixels[below] = pixels[above];
          pixels[above] = pixel;
        }
      }
    }
  }
}
