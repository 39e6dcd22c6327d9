package dev.layerwise.data.stream;

import static dev.layerwise.data.stream.TestImages.bytes;
import static dev.layerwise.data.stream.TestImages.gradient;
import static dev.layerwise.data.stream.TestImages.plain;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.data.stream.ImageDecoder.UnusableException;
import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImageDecoderTest {
  /** JPEG at ImageIO's quality of 0.75 keeps a plain colour to this many levels of 255. */
  private static final int JPEG_ERROR = 3;

  @TempDir
  Path folder;

  @Test
  void rgbPng() throws UnusableException {
    RgbImage image = read(bytes(gradient(10, 20), "png"));
    assertThat(image.width()).isEqualTo(10);
    assertThat(image.height()).isEqualTo(20);
    int place = 3 * (7 * 10 + 4);
    assertThat(Arrays.copyOfRange(image.pixels(), place, place + 3))
        .containsExactly(255 * 4 / 10, 255 * 7 / 20, 80);
  }

  @Test
  void rgbJpegWhateverItsName() throws UnusableException {
    RgbImage image = ImageDecoder.read(TestImages.write(folder.resolve("a.png"), bytes(plain(9, 9, 0x205090), "jpg")), true);
    assertClose(image, 0x20, 0x50, 0x90, JPEG_ERROR);
  }

  @Test
  void greyLevelsStayAsTheyAre() throws UnusableException {
    BufferedImage grey = new BufferedImage(4, 4, BufferedImage.TYPE_BYTE_GRAY);
    grey.getRaster().setSamples(0, 0, 4, 4, 0, filled(16, 77));
    assertClose(read(bytes(grey, "png")), 77, 77, 77, 0);
    assertClose(read(bytes(grey, "jpg")), 77, 77, 77, JPEG_ERROR);
  }

  @Test
  void sixteenBitsAreRounded() throws UnusableException {
    BufferedImage grey = new BufferedImage(2, 2, BufferedImage.TYPE_USHORT_GRAY);
    grey.getRaster().setSamples(0, 0, 2, 2, 0, filled(4, 200 * 257 + 100));
    assertClose(read(bytes(grey, "png")), 200, 200, 200, 0);
  }

  @Test
  void transparencyIsDropped() throws UnusableException {
    BufferedImage image = new BufferedImage(3, 3, BufferedImage.TYPE_INT_ARGB);
    image.setRGB(0, 0, 3, 3, filled(9, 0x40102030), 0, 3);
    assertClose(read(bytes(image, "png")), 0x10, 0x20, 0x30, 0);
  }

  @Test
  void palettesAreLookedUp() throws UnusableException {
    byte[] red = {0, 10, (byte) 200};
    byte[] green = {0, 20, (byte) 210};
    byte[] blue = {0, 30, (byte) 220};
    BufferedImage image = new BufferedImage(4, 4, BufferedImage.TYPE_BYTE_INDEXED,
        new IndexColorModel(8, 3, red, green, blue));
    image.getRaster().setSamples(0, 0, 4, 4, 0, filled(16, 2));
    assertClose(read(bytes(image, "png")), 200, 210, 220, 0);
    BufferedImage binary = new BufferedImage(4, 4, BufferedImage.TYPE_BYTE_BINARY);
    binary.getRaster().setSamples(0, 0, 4, 4, 0, filled(16, 1));
    assertClose(read(bytes(binary, "png")), 255, 255, 255, 0);
  }

  @Test
  void otherFormats() {
    assertUnusable("<html>".getBytes(), "is not an image, whatever its name says");
    assertUnusable(new byte[0], "is empty");
  }

  @Test
  void truncatedFiles() {
    for (String format : new String[] {"png", "jpg"}) {
      byte[] whole = bytes(noise(), format);
      for (int length : new int[] {10, 100, whole.length / 2, whole.length * 9 / 10}) {
        assertUnusable(Arrays.copyOf(whole, length), "");
      }
    }
  }

  @Test
  void mutatedFilesAreReadOrRefused() {
    Random random = new Random(5);
    for (String format : new String[] {"png", "jpg"}) {
      byte[] whole = bytes(gradient(30, 30), format);
      for (int round = 0; round < 500; round++) {
        byte[] mutated = whole.clone();
        for (int change = 0; change < 3; change++) {
          mutated[random.nextInt(random.nextBoolean() ? 60 : whole.length)] = (byte) random.nextInt(256);
        }
        try {
          read(mutated);
        } catch (UnusableException e) {
          assertThat(e.getMessage()).isNotEmpty();
        }
      }
    }
  }

  @Test
  void absurdSizeTakesNoMemory() {
    byte[] png = bytes(plain(4, 4, 0), "png");
    ByteBuffer.wrap(png).putInt(16, 100_000).putInt(20, 100_000);
    CRC32 crc = new CRC32();
    crc.update(png, 12, 17);
    ByteBuffer.wrap(png).putInt(29, (int) crc.getValue());
    assertUnusable(png, "has more than 100000000 pixels");
  }

  @Test
  void whatDoesNotFitIsRefusedByItsHeader() throws UnusableException {
    int levels = 90 * 100 * 3;
    for (String format : new String[] {"png", "jpg"}) {
      byte[] image = bytes(gradient(90, 100), format);
      // A PNG file's levels are copied; those of a JPEG file change in place.
      int most = (format.equals("png") ? 2 : 1) * levels + image.length;
      assertThat(ImageDecoder.decode(image, true, most).width()).isEqualTo(90);
      assertThatThrownBy(() -> ImageDecoder.decode(image, true, most - 1))
          .isInstanceOf(UnusableException.class)
          .hasMessageContaining("has 90×100 pixels, too many for the Java heap");
    }
    byte[] alpha = bytes(new BufferedImage(10, 10, BufferedImage.TYPE_INT_ARGB), "png");
    assertThatThrownBy(() -> ImageDecoder.decode(alpha, true, 10 * 10 * 6 + alpha.length))
        .hasMessageContaining("too many for the Java heap");
    // Only the header is looked at: the rest is not even there.
    byte[] header = Arrays.copyOf(bytes(gradient(90, 100), "png"), 60);
    assertThatThrownBy(() -> ImageDecoder.decode(header, true, levels))
        .hasMessageContaining("too many for the Java heap");
  }

  @Test
  void missingFile() {
    assertThatThrownBy(() -> ImageDecoder.read(folder.resolve("none.jpg"), true)).isInstanceOf(UnusableException.class)
        .hasMessage("cannot be read: no such file or folder");
  }

  private RgbImage read(byte[] content) throws UnusableException {
    return ImageDecoder.read(TestImages.write(folder.resolve("image"), content), true);
  }

  private void assertUnusable(byte[] content, String part) {
    assertThatThrownBy(() -> read(content)).isInstanceOf(UnusableException.class).hasMessageContaining(part);
  }

  private static void assertClose(RgbImage image, int red, int green, int blue, int error) {
    int[] expected = {red, green, blue};
    assertThat(image.pixels()).hasSize(3 * image.width() * image.height());
    for (int i = 0; i < image.pixels().length; i++) {
      assertThat(Math.abs((image.pixels()[i] & 0xff) - expected[i % 3])).isLessThanOrEqualTo(error);
    }
  }

  private static int[] filled(int length, int value) {
    int[] values = new int[length];
    Arrays.fill(values, value);
    return values;
  }

  private static BufferedImage noise() {
    BufferedImage image = new BufferedImage(60, 60, BufferedImage.TYPE_INT_RGB);
    Random random = new Random(2);
    for (int i = 0; i < 3600; i++) {
      image.setRGB(i % 60, i / 60, random.nextInt(1 << 24));
    }
    return image;
  }
}
