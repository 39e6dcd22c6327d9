package dev.layerwise.safetensors;

import dev.layerwise.files.FileException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.function.Consumer;

/**
 * A tensor whose elements lie somewhere: in memory, in an open file, in a network. They are fetched when they are asked for,
 * so a whole network can pass from one place to another with memory for its largest tensor alone.
 */
public interface TensorSource {
  /** Element type. */
  ElementType type();

  /** The dimensions; rank 0 is a scalar of one element. */
  long[] shape();

  /** Size of the data. */
  long byteCount();

  /**
   * Shows the elements as they are now.
   *
   * @param reader is given the little-endian elements, the last dimension contiguous (PyTorch's order), read-only or for it to
   *     leave as they are; they are valid only until it returns
   */
  void read(Consumer<ByteBuffer> reader);

  /**
   * The same tensor as F32, converted each time it is read: F16 and BF16 keep their values exactly, F64 is rounded to the
   * nearest float32, which beyond its range is an infinity.
   *
   * @throws FileException for types that are not {@linkplain ElementType#isReal real}
   */
  default TensorSource inFloat32() {
    if (type() == ElementType.F32) {
      return this;
    }
    if (!type().isReal()) {
      throw new FileException(
          "A tensor of type " + type() + " and shape " + Arrays.toString(shape()) + " does not hold real numbers.");
    }
    return new Float32View(this);
  }
}
