package dev.layerwise.data;

import dev.layerwise.settings.ImageShape;

/** Labelled images of one size, in memory or on disk. */
public interface Images {
  /** Number of images. */
  int count();

  /** Channels of an image. */
  int channels();

  /** Height in pixels. */
  int height();

  /** Width in pixels. */
  int width();

  /** Channels and size of an image. */
  default ImageShape shape() {
    return new ImageShape(channels(), height(), width());
  }

  /** Number of classes. */
  int classes();

  /** One class number per image, 0 to classes − 1; leave the array as it is. */
  int[] labels();

  /** The same images, each as it is when it is judged: neither cropped at random nor mirrored when it is read. */
  default Images plain() {
    return this;
  }

  /** By what it is told later whether these are still the same images in the same order. */
  Fingerprint fingerprint();
}
