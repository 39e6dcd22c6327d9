package dev.layerwise.train;

import java.time.Duration;

/**
 * When a run under way writes checkpoints. Whatever it says, there is one before the first step, one at the end and one
 * where a run is stopped. It changes nothing of what a run computes.
 *
 * @param epochs after every so many; 0: not by epochs
 * @param steps after every so many; 0: not by steps
 * @param interval after the first step when so much time has passed since the last one; {@code null}: not by time
 * @param sparing whether one is passed over as long as it would make checkpoints take more than a twentieth of the time
 */
public record CheckpointSchedule(int epochs, long steps, Duration interval, boolean sparing) {
  /** What a run does if it is told nothing: short epochs of a large network do not wait for its checkpoints. */
  public static final CheckpointSchedule DEFAULT = new CheckpointSchedule(1, 0, Duration.ofMinutes(15), true);

  private static final int TIME_TO_COST = 19; // with the cost itself, a twentieth

  /** Exactly as asked for. */
  public CheckpointSchedule(int epochs, long steps, Duration interval) {
    this(epochs, steps, interval, false);
  }

  /**
   * Whether one is due between epochs.
   *
   * @param last how the last one went
   */
  boolean isDueAfterEpoch(int epoch, Last last) {
    return epochs > 0 && epoch % epochs == 0 && isAffordable(last);
  }

  /**
   * Whether one is due inside an epoch.
   *
   * @param step batches trained since the start of the run
   * @param last how the last one went
   */
  boolean isDueAfterStep(long step, Last last) {
    return (steps > 0 && step % steps == 0)
        || (interval != null && last.nanosAgo >= interval.toNanos() && isAffordable(last));
  }

  private boolean isAffordable(Last last) {
    return !sparing || last.nanosAgo >= TIME_TO_COST * last.nanosHeldUp;
  }

  /**
   * The last checkpoint.
   *
   * @param nanosAgo since training went on after it
   * @param nanosHeldUp for which training waited for it
   */
  record Last(long nanosAgo, long nanosHeldUp) {}
}
