/**
 * What a run stores in its folder: its configuration, metrics, checkpoints and evaluation, and the rules by which it may be
 * resumed. It does not train.
 */
package dev.layerwise.run;
