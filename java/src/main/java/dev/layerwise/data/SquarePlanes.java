package dev.layerwise.data;

import java.nio.ByteBuffer;

/** Planes of pixels that lie column by column, as MATLAB writes them. */
final class SquarePlanes {
  private SquarePlanes() {}

  /**
   * Transposes whole square planes where they lie, from column by column to row by row.
   *
   * @param pixels planes of side × side bytes from {@code start} to the limit
   */
  static void transpose(ByteBuffer pixels, int start, int side) {
    for (int plane = start; plane < pixels.limit(); plane += side * side) {
      for (int row = 1; row < side; row++) {
        for (int column = 0; column < row; column++) {
          int below = plane + row * side + column;
          int above = plane + column * side + row;
          byte pixel = pixels.get(below);
          pixels.put(below, pixels.get(above));
          pixels.put(above, pixel);
        }
      }
    }
  }
}
