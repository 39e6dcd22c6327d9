/** The files that TensorBoard reads. */
package dev.layerwise.tensorboard;
