package dev.layerwise.model;

/**
 * One block of a network with all its sizes.
 *
 * @param name as PyTorch users know it: {@code features.0}, {@code classifier.layers.0}, …
 * @param outChannels output channels, units or classes
 * @param kernel side of the convolution's kernel; convolutions only, as are stride and padding
 * @param maxPool whether 2×2 max-pooling follows
 */
public record LayerSpec(
    String name,
    Kind kind,
    int inChannels,
    int inHeight,
    int inWidth,
    int outChannels,
    int kernel,
    int stride,
    int padding,
    boolean maxPool) {

  /** What kind of block it is. */
  public enum Kind {
    CONVOLUTION,
    LINEAR,
    OUTPUT
  }
}
