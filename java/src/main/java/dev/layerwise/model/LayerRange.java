package dev.layerwise.model;

/**
 * Consecutive layers of a network.
 *
 * @param begin position of the first
 * @param end position behind the last
 */
public record LayerRange(int begin, int end) {
  boolean contains(int position) {
    return position >= begin && position < end;
  }
}
