package dev.layerwise.data.stream;

/**
 * A decoded image.
 *
 * @param pixels red, green and blue levels in (H, W, 3) order
 */
record RgbImage(byte[] pixels, int height, int width) {}
