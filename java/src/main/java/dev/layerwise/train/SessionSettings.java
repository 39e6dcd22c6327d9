package dev.layerwise.train;

import java.time.Duration;
import java.util.Objects;

/**
 * What holds for one session of a run, from its start or resumption until it ends or stops. Nothing of it changes what
 * is computed, so it is no part of the run's configuration.
 *
 * @param timeLimit training stops after the step during which so much time has passed; {@code null}: never
 * @param checkpoints when they are written
 * @param tensorBoard whether metrics are written for TensorBoard too; a run that has done so before goes on with it
 * @param command by which a user started it, for the run's record; {@code null}: a program that uses the library
 */
public record SessionSettings(
    Duration timeLimit, CheckpointSchedule checkpoints, boolean tensorBoard, String command) {
  /** No limit, {@link CheckpointSchedule#DEFAULT}, nothing for TensorBoard. */
  public static final SessionSettings DEFAULT = new SessionSettings(null, CheckpointSchedule.DEFAULT, false, null);

  /** {@link #DEFAULT}, started by a command. */
  public static SessionSettings startedBy(String command) {
    return new SessionSettings(null, CheckpointSchedule.DEFAULT, false, command);
  }

  /** Throws {@link NullPointerException} without a schedule. */
  public SessionSettings {
    Objects.requireNonNull(checkpoints);
  }
}
