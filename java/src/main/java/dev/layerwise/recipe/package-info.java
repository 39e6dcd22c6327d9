/** Published runs as presets, the defaults of data sets, and the reproduction of published results. */
package dev.layerwise.recipe;
