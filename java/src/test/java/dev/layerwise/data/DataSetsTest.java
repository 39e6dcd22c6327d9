package dev.layerwise.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.LayerwiseException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataSetsTest {
  @Test
  void knownNames() {
    assertThat(DataSets.names()).containsExactly("digits", "mnist", "fashion-mnist", "kuzushiji-mnist", "cifar-10",
        "cifar-100", "svhn", "stl-10");
    for (String name : DataSets.names()) {
      DataSetInfo info = DataSets.info(name);
      assertThat(info.name()).isEqualTo(name);
      assertThat(info.mean()).hasSize(info.channels());
      assertThat(info.deviation()).hasSize(info.channels());
      assertThat(info.classNames()).hasSize(name.equals("cifar-100") ? 100 : 10).doesNotHaveDuplicates();
    }
  }

  @Test
  void unknownName() {
    assertThatThrownBy(() -> DataSets.load("minst", null)).isInstanceOf(LayerwiseException.class).hasMessage(
        "Unknown data set 'minst'; choose from digits, mnist, fashion-mnist, kuzushiji-mnist, cifar-10, "
            + "cifar-100, svhn, stl-10.");
  }

  @Test
  void augmentationOfTheRecipes() {
    assertThat(DataSets.info("mnist").cropPadding()).isEqualTo(2);
    assertThat(DataSets.info("mnist").horizontalFlip()).isFalse();
    assertThat(DataSets.info("fashion-mnist").cropPadding()).isEqualTo(2);
    assertThat(DataSets.info("fashion-mnist").horizontalFlip()).isTrue();
    assertThat(DataSets.info("cifar-10").cropPadding()).isEqualTo(4);
    assertThat(DataSets.info("digits").cropPadding()).isZero();
  }

  @Test
  void infoCannotBeChanged() {
    DataSets.info("mnist").mean()[0] = 7;
    assertThat(DataSets.info("mnist").mean()[0]).isEqualTo(0.1307f);
  }

  @Test
  void digitsComeWithLayerwise(@TempDir Path empty) {
    DataSet<ImageSet> digits = DataSets.load("digits", null);
    assertThat(digits.train().count()).isEqualTo(1437);
    assertThat(digits.test().count()).isEqualTo(360);
    assertThat(digits.train().height()).isEqualTo(8);
    PixelStatistics.of(digits.train(), 0).assertAgree(digits.info());
    assertThat(DataSets.locate("digits", null)).isEmpty();
    assertThatThrownBy(() -> DataSets.load("digits", empty)).isInstanceOf(DataException.class)
        .hasMessageContaining("name no folder to use the copy that comes with Layerwise");
  }

  @Test
  void imageSetChecksItsParts() {
    assertThatThrownBy(() -> new ImageSet(new byte[5], new int[] {0}, 1, 2, 2, 10)).isInstanceOf(DataException.class)
        .hasMessage("An image set of 1 images with 1 channels of 2×2 pixels needs 4 bytes, not 5.");
    assertThatThrownBy(() -> new ImageSet(new byte[4], new int[] {10}, 1, 2, 2, 10)).isInstanceOf(DataException.class)
        .hasMessage("Label 10 of image 0 is not in 0 to 9.");
    assertThatThrownBy(() -> new ImageSet(new byte[0], new int[0], 1, 2, 2, 10)).isInstanceOf(DataException.class);
    assertThatThrownBy(() -> new ImageSet(new byte[4], new int[1], 0, 2, 2, 10)).isInstanceOf(DataException.class);
  }
}
