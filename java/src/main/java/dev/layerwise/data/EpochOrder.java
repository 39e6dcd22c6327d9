package dev.layerwise.data;

import java.util.Random;

/** The order in which an epoch visits the training images. */
public final class EpochOrder {
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
    Random random = new Random(Seeds.derive(seed, epoch));
    for (int last = count - 1; last > 0; last--) {
      int chosen = random.nextInt(last + 1);
      int image = order[chosen];
      order[chosen] = order[last];
      order[last] = image;
    }
    return order;
  }
}
