package dev.layerwise.run;

/**
 * A run as its checkpoint tells of it.
 *
 * @param config with which it was started
 * @param result what it has given so far
 * @param images that it was started with; {@code null} in files of versions that did not store it
 */
public record RecordedRun(RunConfig config, TrainingResult result, RunImages images) {
  /** Whether it was not started with other images than these, as far as is known. */
  public boolean mayBeOf(RunImages others) {
    return images == null || images.equals(others);
  }
}
