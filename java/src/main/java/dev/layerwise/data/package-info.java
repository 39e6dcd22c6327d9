/** Data sets: which are known, where their files are, whether these are whole, and their images in memory. */
package dev.layerwise.data;
