package dev.layerwise.nativelib;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.javacpp.BytePointer;

/** Memory outside Java's heap, and outside the limit that the heap's size sets for buffers. */
public final class HostMemory implements AutoCloseable {
  private final BytePointer memory;

  /** Of so many bytes, at most 2 GiB. */
  public HostMemory(int bytes) {
    NativeLibrary.load(); // which lifts the limit
    memory = new BytePointer((long) bytes);
  }

  /** All of it, little-endian; not to be used after {@link #close}. */
  public ByteBuffer buffer() {
    return memory.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Gives the memory back. */
  @Override
  public void close() {
    memory.deallocate();
  }
}
