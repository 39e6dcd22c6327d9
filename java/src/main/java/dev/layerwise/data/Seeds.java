package dev.layerwise.data;

/** Seeds of random numbers that belong to one thing among many. */
public final class Seeds {
  private static final long GOLDEN_GAMMA = 0x9E3779B97F4A7C15L;

  private Seeds() {}

  /**
   * The seed of one thing, such as an image in an epoch. Different numbers give unrelated seeds: neighbours must not
   * start a generator in related states.
   *
   * @param seed of the run
   * @param numbers what the thing is counted by, the coarsest first
   */
  public static long derive(long seed, long... numbers) {
    long derived = seed;
    for (long number : numbers) {
      derived = mix(derived + GOLDEN_GAMMA * number);
    }
    return derived;
  }

  /** SplitMix64's finaliser. */
  private static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
