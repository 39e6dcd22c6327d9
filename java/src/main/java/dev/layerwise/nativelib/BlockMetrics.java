package dev.layerwise.nativelib;

/**
 * What a block counted since its metrics were last read.
 *
 * @param similarityLoss mean over samples, as weighted in the block's supervised loss: times beta under predsim
 * @param predictionLoss the same, times (1 − beta) under predsim; the output layer's is unweighted
 * @param unsupervisedLoss the same of the unsupervised loss, unweighted
 * @param errors samples that the (local) classifier got wrong; 0 without a classifier
 * @param samples that the block saw
 */
public record BlockMetrics(
    double similarityLoss, double predictionLoss, double unsupervisedLoss, double errors, double samples) {}
