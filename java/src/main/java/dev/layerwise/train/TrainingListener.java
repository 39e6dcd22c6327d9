package dev.layerwise.train;

import dev.layerwise.run.EpochReport;
import java.time.Duration;

/** Is told how a run goes, on the training thread. */
public interface TrainingListener {
  /**
   * The least time between two calls of {@link #progressed}; {@code null}: it is not called. Each of them makes the
   * host wait for the device, so less than half a second costs speed.
   */
  default Duration progressInterval() {
    return null;
  }

  /** An epoch begins or goes on; is told at its first step, at its end, and now and then between them. */
  default void progressed(EpochProgress progress) {}

  /** An epoch has been trained and evaluated. */
  void epochEnded(EpochReport report);
}
