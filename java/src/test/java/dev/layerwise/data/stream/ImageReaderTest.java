package dev.layerwise.data.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.data.DataException;
import java.awt.Transparency;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.ComponentColorModel;
import java.awt.image.DataBuffer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

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

  @ParameterizedTest
  @ValueSource(
      ints = {
        BufferedImage.TYPE_INT_RGB, BufferedImage.TYPE_INT_BGR, BufferedImage.TYPE_INT_ARGB,
        BufferedImage.TYPE_INT_ARGB_PRE, BufferedImage.TYPE_3BYTE_BGR, BufferedImage.TYPE_4BYTE_ABGR,
        BufferedImage.TYPE_4BYTE_ABGR_PRE, BufferedImage.TYPE_BYTE_GRAY, BufferedImage.TYPE_USHORT_GRAY,
        BufferedImage.TYPE_BYTE_INDEXED, BufferedImage.TYPE_BYTE_BINARY
      })
  void anImageInMemoryGivesWhatItsFileGives(int type) {
    BufferedImage image = new BufferedImage(37, 29, type);
    image.createGraphics().drawImage(TestImages.gradient(37, 29), 0, 0, null);
    for (int channels : new int[] {1, 3}) {
      ImageReader reader = new ImageReader(channels, 8, 10, true);
      byte[] expected = reader.decode(TestImages.bytes(image, "png"));
      assertThat(reader.read(image)).isEqualTo(expected);
      assertThat(reader.read(image.getSubimage(0, 0, 37, 29))).isEqualTo(expected);
    }
    ImageReader reader = new ImageReader(3, 8, 8, true);
    BufferedImage part = image.getSubimage(5, 3, 20, 24);
    BufferedImage copy = new BufferedImage(image.getColorModel(), image.getColorModel().createCompatibleWritableRaster(20, 24),
        image.isAlphaPremultiplied(), null);
    for (int y = 0; y < 24; y++) {
      for (int x = 0; x < 20; x++) {
        copy.getRaster().setDataElements(x, y, part.getRaster().getDataElements(x, y, null));
      }
    }
    assertThat(reader.read(part)).isEqualTo(reader.read(copy));
  }

  @Test
  void aStreamGivesWhatItsFileGives() throws IOException {
    ImageReader reader = new ImageReader(3, 8, 10, true);
    for (String format : List.of("png", "jpeg", "bmp", "gif")) {
      byte[] encoded = TestImages.bytes(TestImages.gradient(37, 29), format);
      boolean[] closed = {false};
      InputStream in = new ByteArrayInputStream(encoded) {
        @Override
        public void close() {
          closed[0] = true;
        }
      };
      assertThat(reader.read(in)).isEqualTo(reader.decode(encoded));
      assertThat(closed[0]).as("the caller closes it").isFalse();
    }
    InputStream broken = new InputStream() {
      @Override
      public int read() throws IOException {
        throw new IOException("the line is down");
      }
    };
    assertThatThrownBy(() -> reader.read(broken))
        .isInstanceOf(DataException.class)
        .hasMessage("The image cannot be read: the line is down.");
    assertThatThrownBy(() -> reader.read(InputStream.nullInputStream())).hasMessage("The image is empty.");
  }

  @Test
  void coloursOfOtherKindsAreRefused() {
    ColorModel floats = new ComponentColorModel(
        ColorSpace.getInstance(ColorSpace.CS_sRGB), false, false, Transparency.OPAQUE, DataBuffer.TYPE_FLOAT);
    ColorModel signed = new ComponentColorModel(
        ColorSpace.getInstance(ColorSpace.CS_GRAY), false, false, Transparency.OPAQUE, DataBuffer.TYPE_SHORT);
    ColorModel xyz = new ComponentColorModel(
        ColorSpace.getInstance(ColorSpace.CS_CIEXYZ), false, false, Transparency.OPAQUE, DataBuffer.TYPE_BYTE);
    refused(floats, "has levels of 32 bits, where at most 16 are read.");
    refused(signed, "has levels with a sign; convert it to RGB.");
    refused(xyz, "is neither grey nor RGB; convert it to RGB.");
  }

  private static void refused(ColorModel colors, String why) {
    BufferedImage image = new BufferedImage(colors, colors.createCompatibleWritableRaster(8, 8), false, null);
    assertThatThrownBy(() -> new ImageReader(3, 8, 8, true).read(image))
        .isInstanceOf(DataException.class)
        .hasMessage("The image " + why);
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
