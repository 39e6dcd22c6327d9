package dev.layerwise.model;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * A network as data: its blocks in the order in which they are driven, the output layer last. Sizes are
 * not part of it but follow from the images'. As JSON:
 *
 * <pre>{@code
 * {"blocks": [
 *   {"name": "stem", "kind": "conv", "channels": 16},
 *   {"name": "first", "kind": "conv", "channels": 16},
 *   {"name": "second", "kind": "conv", "channels": 16, "shortcut": "stem", "pool": true},
 *   {"name": "classes", "kind": "output"}
 * ]}
 * }</pre>
 *
 * @param blocks {@link LayerPlanner} says what must hold for them
 */
public record NetworkSpec(List<BlockSpec> blocks) {
  /** What blocks call the network's input. */
  public static final String IMAGES = "images";

  /** Copies the list, which may hold {@code null} where a file says so. */
  public NetworkSpec {
    blocks = blocks == null ? List.of() : Collections.unmodifiableList(new ArrayList<>(blocks));
  }

  /**
   * Reads a description that a user wrote.
   *
   * @throws ModelException if there is no such file, or a block is not described in the way of its kind
   */
  public static NetworkSpec read(Path file) {
    return NetworkSpecReader.read(file);
  }

  /** The same with the channels of all convolutions multiplied, and rounded down. */
  NetworkSpec widened(double factor) {
    return new NetworkSpec(
        blocks.stream()
            .map(block -> block.channels() == null ? block : block.withChannels(channels(block.channels(), factor)))
            .toList());
  }

  /** Channels times a factor, rounded down as the published code does. */
  static int channels(int channels, double factor) {
    int product = (int) (channels * factor);
    if (product <= 0 && channels > 0) {
      throw new ModelException("channels times " + factor + " leave a convolution without any");
    }
    return product;
  }
}
