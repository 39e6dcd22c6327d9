package dev.layerwise.nativelib;

/**
 * What a context holds on its device, in bytes.
 *
 * @param arenaBytes activations and temporaries, shared by all blocks
 * @param arenaPeakBytes the most of these there ever was
 * @param parameterBytes parameters, buffers and optimizer state of all blocks
 * @param dataSetBytes images and labels
 */
public record MemoryUse(long arenaBytes, long arenaPeakBytes, long parameterBytes, long dataSetBytes) {}
