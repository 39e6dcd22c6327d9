package dev.layerwise.nativelib;

import java.util.Arrays;

/** Java arrays for what lies on a device. */
final class HostArrays {
  private HostArrays() {}

  /** @throws InvalidArgumentException if no Java array holds so many elements */
  static float[] ofShape(long[] shape, String owner) {
    return ofLength(elements(shape), owner);
  }

  /** @throws InvalidArgumentException if no Java array holds so many elements */
  static float[] ofLength(long elements, String owner) {
    if (elements > Integer.MAX_VALUE - 8) { // the longest array that common virtual machines allow
      throw new InvalidArgumentException(
          owner + " has " + elements + " elements, more than a Java array holds; read a smaller one");
    }
    return new float[(int) elements];
  }

  static long elements(long[] shape) {
    return Arrays.stream(shape).reduce(1, (a, b) -> a * b);
  }
}
