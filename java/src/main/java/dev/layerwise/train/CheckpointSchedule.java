package dev.layerwise.train;

import java.time.Duration;

/**
 * When a run under way writes checkpoints. Whatever it says, there is one before the first step, one at the end and one
 * where a run is stopped. It changes nothing of what a run computes.
 *
 * @param epochs after every so many; 0: not by epochs
 * @param steps after every so many; 0: not by steps
 * @param interval after the first step when so much time has passed since the last one; {@code null}: not by time
 */
public record CheckpointSchedule(int epochs, long steps, Duration interval) {
  /** After every epoch. */
  public static final CheckpointSchedule EVERY_EPOCH = new CheckpointSchedule(1, 0, null);

  boolean isDueAfterEpoch(int epoch) {
    return epochs > 0 && epoch % epochs == 0;
  }

  /**
   * Whether one is due inside an epoch.
   *
   * @param step batches trained since the start of the run
   * @param nanosSinceLast time since a checkpoint was written
   */
  boolean isDueAfterStep(long step, long nanosSinceLast) {
    return (steps > 0 && step % steps == 0) || (interval != null && nanosSinceLast >= interval.toNanos());
  }
}
