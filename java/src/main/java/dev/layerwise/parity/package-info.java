/** Replays of reference files: whether blocks and networks compute what the published method does. */
package dev.layerwise.parity;
