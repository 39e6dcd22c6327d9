/**
 * Files from the network: downloads that go on where they stopped and are held to a checksum, and the unpacking of
 * archives that come from outside. Knows nothing of data sets.
 */
package dev.layerwise.data.download;
