package dev.layerwise.train;

/**
 * How a run ended.
 *
 * @param finished whether all epochs are done; otherwise the run was stopped and can be resumed
 * @param epochs finished ones
 * @param testError after the last finished epoch, in percent; {@code null} if there is none
 * @param seconds spent in the run, earlier sessions included
 */
public record TrainingResult(boolean finished, int epochs, Double testError, double seconds) {}
