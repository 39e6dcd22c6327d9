package dev.layerwise.model;

import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * One block of a network with all its sizes.
 *
 * @param block its description, with every field that its kind has
 * @param input position in the network of the block that it reads; {@link #IMAGES} for the network's input
 * @param shortcut position of the block whose output is added, likewise; {@code null} for none
 * @param outChannels output channels, units or classes
 * @param group number of the blocks that learn together: gradients travel between those of one number
 * @param hasLoss whether it has a loss of its own: a local one where the network has them, the output layer the global
 */
public record LayerSpec(
    BlockSpec block,
    int input,
    Integer shortcut,
    int inChannels,
    int inHeight,
    int inWidth,
    int outChannels,
    int outHeight,
    int outWidth,
    int group,
    boolean hasLoss) {

  /** The "position" of the network's input. */
  public static final int IMAGES = -1;

  /** What kind of block it is. */
  public enum Kind {
    /** Convolution → batch norm → [+ shortcut] → nonlinearity → dropout → [2×2 max-pooling]. */
    @JsonProperty("conv")
    CONVOLUTION("conv"),
    /** The same with a linear layer over the flattened input. */
    @JsonProperty("linear")
    LINEAR("linear"),
    /** Batch norm → nonlinearity → dropout → convolution → [+ shortcut]. */
    @JsonProperty("preactivation")
    PREACTIVATION("preactivation"),
    /** Convolution → [batch norm], on a shortcut and trained by the loss of the block that it joins. */
    @JsonProperty("shortcut")
    SHORTCUT("shortcut"),
    /** [Batch norm → ReLU →] pooling, without a loss. */
    @JsonProperty("head")
    HEAD("head"),
    /** The linear layer of the global cross-entropy. */
    @JsonProperty("output")
    OUTPUT("output");

    private final String text;

    Kind(String text) {
      this.text = text;
    }

    /** As descriptions write it. */
    @Override
    public String toString() {
      return text;
    }
  }

  /** As PyTorch users know it: {@code features.0}, {@code classifier.layers.0}, … */
  public String name() {
    return block.name();
  }

  public Kind kind() {
    return block.kind();
  }

  /** Side of the kernel; 1 where there is no convolution. */
  public int kernel() {
    return block.kernel() == null ? 1 : block.kernel();
  }

  /** Stride of the convolution; 1 where there is none. */
  public int stride() {
    return block.stride() == null ? 1 : block.stride();
  }

  /** Padding of the convolution; 0 where there is none. */
  public int padding() {
    return block.padding() == null ? 0 : block.padding();
  }

  /** Height of the convolution's own output, before pooling. */
  public int convolvedHeight() {
    return convolved(inHeight, kernel(), stride(), padding());
  }

  /** Width of the convolution's own output, before pooling. */
  public int convolvedWidth() {
    return convolved(inWidth, kernel(), stride(), padding());
  }

  /** What a convolution makes of a length; 0 where the kernel does not fit. */
  static int convolved(int length, int kernel, int stride, int padding) {
    int room = length + 2 * padding - kernel;
    return room < 0 ? 0 : room / stride + 1;
  }

  /** Whether 2×2 max-pooling follows. */
  public boolean maxPool() {
    return Boolean.TRUE.equals(block.pool());
  }

  /** Whether it adds another block's output. */
  public boolean joinsShortcut() {
    return shortcut != null;
  }

  /** Whether it is one of those that losses are for: neither a projection, nor a head, nor the output layer. */
  boolean isHidden() {
    return kind() == Kind.CONVOLUTION || kind() == Kind.LINEAR || kind() == Kind.PREACTIVATION;
  }

  /** Whether it is hidden and learns from another's loss: a gradient travels back from that block to it. */
  boolean learnsWith(LayerSpec reader) {
    return isHidden() && group == reader.group;
  }

  /** The same as one of the blocks that learn together. */
  LayerSpec inGroup(int number, boolean withLoss) {
    return new LayerSpec(
        block, input, shortcut, inChannels, inHeight, inWidth, outChannels, outHeight, outWidth, number, withLoss);
  }
}
