package dev.layerwise.data;

import java.util.Random;

/** The order in which an epoch visits the training images. */
public final class EpochOrder {
  private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;

  private EpochOrder() {}

  /**
   * A uniformly drawn permutation of 0 … count − 1, the same for the same arguments on every machine and Java version,
   * so that a resumed run goes on in the order it began with. Fisher–Yates (Durstenfeld), driven by
   * {@link Random}, whose generator is part of its specification.
   *
   * @param count number of images, at least 0
   * @param seed of the run
   * @param epoch counted from 1, or however the caller counts; each number has its own order
   */
  public static int[] shuffled(int count, long seed, int epoch) {
    int[] order = new int[count];
    for (int i = 0; i < count; i++) {
      order[i] = i;
    }
    Random random = new Random(mix(seed + GOLDEN_GAMMA * epoch));
    for (int last = count - 1; last > 0; last--) {
      int chosen = random.nextInt(last + 1);
      int image = order[chosen];
      order[chosen] = order[last];
      order[last] = image;
    }
    return order;
  }

  /** SplitMix64's finaliser: neighbouring seeds and epochs must not start the generator in related states. */
  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
