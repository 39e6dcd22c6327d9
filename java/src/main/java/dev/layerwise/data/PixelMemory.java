package dev.layerwise.data;

import java.nio.ByteBuffer;

/** Memory outside Java's heap into which readers decode pixels; it grows where files hold more than was expected. */
final class PixelMemory {
  private ByteBuffer memory;

  /** @param expectedBytes of all that will be put; not what a file says of itself, which may be anything */
  PixelMemory(int expectedBytes) {
    memory = ByteBuffer.allocateDirect(expectedBytes);
  }

  /** Adds some of an array's bytes. */
  void put(byte[] from, int offset, int count) {
    room(count).put(from, offset, count);
  }

  /** The next bytes, for the caller to fill. */
  ByteBuffer room(int count) {
    int position = memory.position();
    if (count > memory.remaining()) {
      long doubled = Math.max(2L * memory.capacity(), (long) position + count);
      ByteBuffer larger = ByteBuffer.allocateDirect((int) Math.min(doubled, Integer.MAX_VALUE));
      memory = larger.put(memory.flip());
    }
    memory.position(position + count);
    return memory.slice(position, count);
  }

  /** All that was put. */
  ByteBuffer content() {
    return memory.slice(0, memory.position());
  }
}
