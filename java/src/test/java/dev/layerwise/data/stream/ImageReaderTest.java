package dev.layerwise.data.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.data.DataException;
import java.awt.image.BufferedImage;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageReaderTest {
  @TempDir private Path folder;

  @Test
  void anImageOfTheRightSizeComesThroughUnchanged() {
    BufferedImage grey = new BufferedImage(16, 16, BufferedImage.TYPE_BYTE_GRAY);
    byte[] levels = new byte[256];
    for (int i = 0; i < 256; i++) {
      levels[i] = (byte) i;
      grey.getRaster().setSample(i % 16, i / 16, 0, i);
    }
    Path file = TestImages.write(folder.resolve("grey.png"), grey);
    assertThat(new ImageReader(1, 16, 16, true).read(file)).isEqualTo(levels);
    byte[] colors = new ImageReader(3, 16, 16, true).read(file);
    for (int channel = 0; channel < 3; channel++) {
      assertThat(java.util.Arrays.copyOfRange(colors, channel * 256, channel * 256 + 256)).isEqualTo(levels);
    }
  }

  @Test
  void coloursBecomeGreyByTheirLuminance() {
    byte[] red = TestImages.bytes(TestImages.plain(4, 4, 0xff0000), "png");
    byte[] green = TestImages.bytes(TestImages.plain(4, 4, 0x00ff00), "png");
    byte[] blue = TestImages.bytes(TestImages.plain(4, 4, 0x0000ff), "png");
    ImageReader reader = new ImageReader(1, 2, 2, true);
    // 0.299, 0.587 and 0.114 of 255, rounded.
    assertThat(reader.decode(red)).containsOnly((byte) 76);
    assertThat(reader.decode(green)).containsOnly((byte) 150);
    assertThat(reader.decode(blue)).containsOnly((byte) 29);
  }

  @Test
  void theCentreIsCutFromALongImage() {
    BufferedImage image = TestImages.plain(30, 10, 0x000000);
    for (int y = 0; y < 10; y++) {
      for (int x = 10; x < 20; x++) {
        image.setRGB(x, y, 0xffffff);
      }
    }
    assertThat(new ImageReader(1, 10, 10, true).decode(TestImages.bytes(image, "png"))).containsOnly((byte) 255);
  }

  @Test
  void whatCannotBeUsedIsSaid() {
    assertThatThrownBy(() -> new ImageReader(3, 8, 8, true).decode(new byte[0]))
        .isInstanceOf(DataException.class)
        .hasMessage("The image is not an image, whatever its name says.");
    assertThatThrownBy(() -> new ImageReader(2, 8, 8, true)).hasMessageContaining("1 or 3 channels");
    assertThatThrownBy(() -> new ImageReader(3, 8, 7, true)).hasMessageContaining("cannot be resized to 7");
  }
}
