package dev.layerwise.data;

import java.nio.file.Path;
import java.util.Optional;

/**
 * A copy of a data set that was found whole.
 *
 * @param name of the data set
 * @param location the folder or archive; empty for the copy that comes with Layerwise
 * @param evidence what shows that it is whole
 */
public record Verification(String name, Optional<Path> location, Evidence evidence) {
  /** How it is known that a copy is whole. */
  public enum Evidence {
    /** The files are those that the authors offer: their md5 are the published ones. */
    PUBLISHED_CHECKSUMS,
    /** The files are as they were when Layerwise unpacked them from the authors' archive. */
    INSTALLED_CHECKSUMS,
    /** The files were packed anew; what is inside has the right form, the right numbers of images and valid labels. */
    CONTENT
  }
}
