package dev.layerwise.nativelib;

/**
 * Random changes to training images.
 *
 * @param cropPadding pixels of black frame from which a crop of the image's own size is taken; 0: none
 * @param horizontalFlip whether every second image, drawn at random, is flipped left to right
 * @param holes squares set to 0 after normalization (cutout); 0: none
 * @param holeLength side of a square, in pixels
 */
public record Augmentation(int cropPadding, boolean horizontalFlip, int holes, int holeLength) {}
