package dev.layerwise.train;

import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.OptimizerConfig;

/**
 * A run's whole configuration, as {@code config.json} holds it: two runs of the same configuration end
 * with the same bits.
 */
public record RunConfig(ModelConfig model, OptimizerConfig optimizer, TrainingConfig training) {}
