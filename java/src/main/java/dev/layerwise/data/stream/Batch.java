package dev.layerwise.data.stream;

/**
 * Some images. Two batches are equal only if they share their arrays.
 *
 * @param pixels unsigned levels 0 to 255 in (N, C, H, W) order, as long as it must be
 * @param labels one class number per image
 * @param numbers of the images in the data set, from 0
 */
public record Batch(byte[] pixels, int[] labels, int[] numbers) {
  /** Number of images, at least 1. */
  public int count() {
    return labels.length;
  }
}
