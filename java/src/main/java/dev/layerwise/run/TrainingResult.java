package dev.layerwise.run;

/**
 * How a run ended.
 *
 * @param epochs finished ones
 * @param testError after the last finished epoch, in percent; {@code null} if there is none
 * @param validationError of the same epoch; {@code null} without images held out
 * @param bestTestError after the best epoch; {@code null} if there is none
 * @param bestValidationError likewise; {@code null} without images held out
 * @param bestEpoch the first epoch with the lowest validation error, or without images held out, test error
 * @param modelEpoch the epoch whose model the run has saved: the best one where the run keeps that ({@link
 *     TrainingConfig#keepsBest}), otherwise the last; {@code null} while something is left to train, and
 *     where only the checkpoint was read
 * @param seconds spent in the run, earlier sessions included
 */
public record TrainingResult(
    Ending ending, int epochs, Double testError, Double validationError, Double bestTestError, Double bestValidationError,
    Integer bestEpoch, Integer modelEpoch, double seconds) {

  /** What ended a run, or a session of it. */
  public enum Ending {
    /** All epochs are done. */
    EPOCHS_DONE,
    /** The error that decides has not improved for as many epochs as the configuration has patience. */
    NO_IMPROVEMENT,
    /** The session's time is up; the run can be resumed. */
    TIME_UP,
    /** A stop was asked for, or the process ended; the run can be resumed. */
    STOPPED;

    /**
     * What has ended a run; {@code null} while there is something left to train.
     *
     * @param finished epochs
     * @param epochs that were asked for
     * @param patience epochs without an improvement after which the run ends; {@code null} or 0: any number
     * @param best the best epoch so far; {@code null} before the first is finished
     */
    public static Ending of(int finished, int epochs, Integer patience, Integer best) {
      if (finished >= epochs) {
        return EPOCHS_DONE;
      }
      boolean exhausted = patience != null && patience > 0 && best != null && finished - best >= patience;
      return exhausted ? NO_IMPROVEMENT : null;
    }
  }

  /** Whether nothing is left to train; otherwise the run can be resumed. */
  public boolean finished() {
    return ending == Ending.EPOCHS_DONE || ending == Ending.NO_IMPROVEMENT;
  }
}
