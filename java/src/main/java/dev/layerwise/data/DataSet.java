package dev.layerwise.data;

/**
 * A data set, loaded.
 *
 * @param info what is known about it
 * @param train images to learn from
 * @param test images to judge by
 */
public record DataSet(DataSetInfo info, ImageSet train, ImageSet test) {}
