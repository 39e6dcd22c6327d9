/** Runs of one command with many values of its options, and what they gave. */
package dev.layerwise.sweep;
