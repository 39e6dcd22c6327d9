package dev.layerwise.run;

import dev.layerwise.LayerwiseException;

/** A run cannot go on, since the images are not those that it was started with. */
public final class OtherImagesException extends LayerwiseException {
  private static final long serialVersionUID = 1L;

  OtherImagesException(String message) {
    super(message);
  }
}
