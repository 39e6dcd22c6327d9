package dev.layerwise.data;

/**
 * A data set, loaded.
 *
 * @param <T> where its images are
 * @param info what is known about it
 * @param train images to learn from
 * @param test images to judge by
 */
public record DataSet<T extends Images>(DataSetInfo info, T train, T test) {}
