package dev.layerwise.run;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.layerwise.data.DataSet;
import dev.layerwise.data.Fingerprint;
import java.util.Objects;

/**
 * The images that a run was started with, as its checkpoints remember them: with others, or in another order, it would
 * not go on as it would have without a stop.
 *
 * @param train those to learn from
 * @param test those to judge by
 */
public record RunImages(@JsonProperty("train") Fingerprint train, @JsonProperty("test") Fingerprint test) {
  /** Throws {@link NullPointerException} if a part is missing. */
  public RunImages {
    Objects.requireNonNull(train);
    Objects.requireNonNull(test);
  }

  /** Asks for the sizes of files, which it does not open, or reads the pixels in memory. */
  public static RunImages of(DataSet<?> data) {
    return new RunImages(data.train().fingerprint(), data.test().fingerprint());
  }

  /** Numbers and hashes in one line. */
  public String summary() {
    return train.count() + " training images " + train.sha256() + " and " + test.count() + " test images " + test.sha256();
  }

  /** Throws {@link OtherImagesException} unless the images are the same; says how they differ. */
  public void requireSame(RunImages now) {
    requireSame("training", train, now.train);
    requireSame("test", test, now.test);
  }

  private static void requireSame(String which, Fingerprint before, Fingerprint now) {
    if (before.equals(now)) {
      return;
    }
    if (before.equals(now.withoutExif()) || before.withoutExif().equals(now)) {
      throw new OtherImagesException(
          (before.equals(now.withoutExif())
                  ? "the run was started with the pixels of image files as they are stored"
                  : "the run was started with images turned as their mark of orientation (EXIF) says")
              + ", and goes on only with the same pixels; resume it so, or start a new run");
    }
    String difference =
        before.count() == now.count()
            ? now.count() + " images then and now, but not the same"
            : before.count() + " images then, " + now.count() + " now";
    throw new OtherImagesException(
        "the " + which + " images are not those that the run was started with: " + difference
            + "; put them back, or start a new run");
  }
}
