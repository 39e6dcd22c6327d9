/**
 * Training and evaluation on a device: the loop over epochs and batches ({@link dev.layerwise.train.TrainingRun}), how
 * images come to the device, and how the run's files are written as it goes.
 */
package dev.layerwise.train;
