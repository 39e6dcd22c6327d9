package dev.layerwise.train;

/**
 * A run as its checkpoint tells of it.
 *
 * @param config with which it was started
 * @param result what it has given so far
 */
public record RecordedRun(RunConfig config, TrainingResult result) {}
