package dev.layerwise.settings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** How training images are flipped and cropped, as asked for and as recorded. */
class AugmentationTest {
  private static final Augmentation FLIPPED = Settings.with(Augmentation.NONE, "horizontal_flip", true);
  private static final Augmentation ALTERNATING = Settings.with(FLIPPED, "flip", "alternating");
  private static final Augmentation OF_FILES = Settings.with(FLIPPED, "crop_scale", 0.08);

  private static Augmentation flip(String how) {
    return Settings.partial(Augmentation.class, "flip", how);
  }

  @Test
  void everyDataSetCanBeFlippedInEveryWay() {
    for (Augmentation base : new Augmentation[] {Augmentation.NONE, FLIPPED, ALTERNATING}) {
      assertThat(flip("none").over(base)).isEqualTo(Augmentation.NONE);
      assertThat(flip("random").over(base)).isEqualTo(FLIPPED);
      assertThat(flip("alternating").over(base)).isEqualTo(ALTERNATING);
      assertThat(flip(null).over(base)).isEqualTo(base);
    }
    assertThat(Settings.partial(Augmentation.class, "horizontal_flip", false).over(ALTERNATING))
        .isEqualTo(Augmentation.NONE);
  }

  @Test
  void flippingAndNotFlippingDoNotGoTogether() {
    Augmentation not = Settings.partial(Augmentation.class, "horizontal_flip", false, "flip", "random");
    assertThatThrownBy(() -> not.over(Augmentation.NONE))
        .hasMessage("flip random does not go with horizontal_flip false");
    assertThatThrownBy(() -> Settings.with(flip("none"), "horizontal_flip", true).over(FLIPPED))
        .hasMessage("flip none does not go with horizontal_flip true");
  }

  @Test
  void theDeviceDoesNotRepeatWhatWasDoneWhileReading() {
    Augmentation framed = Settings.with(OF_FILES, "crop_padding", 2, "n_holes", 1, "length", 4);
    for (String how : new String[] {"none", "random", "alternating"}) {
      assertThat(flip(how).over(framed).afterReading())
          .isEqualTo(Settings.with(Augmentation.NONE, "crop_padding", 2, "n_holes", 1, "length", 4));
      assertThat(flip(how).over(framed).flipsWhenRead()).isEqualTo(!how.equals("none"));
    }
    assertThat(OF_FILES.afterReading().changesNothing()).isTrue();
    assertThat(Settings.with(OF_FILES, "crop_scale", 0.0).cropScaleWhenRead()).isZero();
  }

  @Test
  void whatOlderVersionsRecordedOfImageFilesIsReadAsWhatTheyDid() {
    assertThat(Augmentation.NONE.ofImageFiles()).isEqualTo(OF_FILES);
    assertThat(flip("none").over(OF_FILES).ofImageFiles()).isEqualTo(flip("none").over(OF_FILES));
    Augmentation alternating = Settings.with(Augmentation.NONE, "flip", "alternating"); // without a horizontal_flip
    assertThat(alternating.ofImageFiles()).isEqualTo(flip("alternating").over(OF_FILES));
    // The library could ask for random flips. They came on top of those while reading, and decide the bits.
    assertThat(FLIPPED.ofImageFiles()).isEqualTo(FLIPPED);
    assertThat(FLIPPED.flipsWhenRead()).isTrue();
    assertThat(FLIPPED.cropScaleWhenRead()).isEqualTo(0.08);
    assertThat(FLIPPED.afterReading()).isEqualTo(FLIPPED);
    assertThat(ALTERNATING.afterReading()).isEqualTo(Augmentation.NONE);
  }
}
