package dev.layerwise.safetensors;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** Memory outside Java's heap through which tensors pass, one at a time. */
public final class TensorMemory {
  private ByteBuffer memory = ByteBuffer.allocate(0);

  /**
   * Memory of one tensor's size, little-endian; the next tensor has the same.
   *
   * @param all that will pass; there is room for the largest from the first time on, because what is outgrown is not given
   *     back soon
   * @throws dev.layerwise.files.FileException if the tensor is too large
   */
  public ByteBuffer of(TensorSource tensor, Supplier<Stream<? extends TensorSource>> all) {
    int bytes = HostTensor.requireSize(tensor.byteCount());
    if (memory.capacity() < bytes) {
      long largest = all.get().mapToLong(TensorSource::byteCount).max().orElse(bytes);
      memory = ByteBuffer.allocateDirect(HostTensor.requireSize(largest));
    }
    return memory.duplicate().limit(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }
}
