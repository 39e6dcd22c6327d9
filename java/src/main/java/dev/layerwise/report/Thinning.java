package dev.layerwise.report;

import java.util.List;
import java.util.TreeSet;
import java.util.stream.IntStream;

/** Which of many values are shown, so that a page stays small and readable however long the runs are. */
final class Thinning {
  private static final int PIECES = 80;

  private Thinning() {}

  /** Positions at equal distances, the first and the last among them; all if there are no more than {@code most}. */
  static List<Integer> evenly(int count, int most) {
    if (count <= most) {
      return IntStream.range(0, count).boxed().toList();
    }
    TreeSet<Integer> chosen = new TreeSet<>();
    for (int i = 0; i < most; i++) {
      chosen.add((int) Math.round((double) i * (count - 1) / (most - 1)));
    }
    return List.copyOf(chosen);
  }

  /** Positions whose distances grow, since runs change most in their first epochs: of 100 epochs 1, 3, 10, 32, 100. */
  static List<Integer> geometrically(int count, int most) {
    if (count <= most) {
      return IntStream.range(0, count).boxed().toList();
    }
    TreeSet<Integer> chosen = new TreeSet<>();
    for (int i = 0; i < most; i++) {
      chosen.add((int) Math.round(Math.pow(count, (double) i / (most - 1))) - 1);
    }
    return List.copyOf(chosen);
  }

  /**
   * Positions with which a line looks as it does with all of them: the least and the largest value of each of 80
   * pieces, each piece's first value that is not finite, and both ends.
   */
  static List<Integer> kept(double[] values) {
    if (values.length <= 2 * PIECES) {
      return IntStream.range(0, values.length).boxed().toList();
    }
    TreeSet<Integer> kept = new TreeSet<>(List.of(0, values.length - 1));
    for (int piece = 0; piece < PIECES; piece++) {
      int from = (int) ((long) piece * values.length / PIECES);
      int to = (int) ((long) (piece + 1) * values.length / PIECES);
      int least = from;
      int most = from;
      for (int i = from; i < to; i++) {
        least = values[i] < values[least] ? i : least;
        most = values[i] > values[most] ? i : most;
        if (!Double.isFinite(values[i])) {
          kept.add(i);
          break;
        }
      }
      kept.addAll(List.of(least, most));
    }
    return List.copyOf(kept);
  }
}
