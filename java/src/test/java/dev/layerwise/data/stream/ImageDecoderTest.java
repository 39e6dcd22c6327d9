package dev.layerwise.data.stream;

import static dev.layerwise.TestPng.chunk;
import static dev.layerwise.TestPng.inserted;
import static dev.layerwise.data.stream.TestImages.bytes;
import static dev.layerwise.data.stream.TestImages.gradient;
import static dev.layerwise.data.stream.TestImages.plain;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.layerwise.TestPng;
import dev.layerwise.data.stream.ImageDecoder.UnusableException;
import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

class ImageDecoderTest {
  /** JPEG at ImageIO's quality of 0.75 keeps a plain colour to this many levels of 255. */
  private static final int JPEG_ERROR = 3;

  private static final Map<String, byte[]> CASES = TestImages.cases();

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
    Path file = TestImages.write(folder.resolve("a.png"), bytes(plain(9, 9, 0x205090), "jpg"));
    RgbImage image = ImageDecoder.read(file, true);
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

  @TestFactory
  Stream<DynamicTest> pixelsAreThoseOfPil() {
    assertThat(CASES).hasSize(2 * 124);
    return CASES.keySet().stream().filter(name -> CASES.containsKey(name + ".png")).map(name -> dynamicTest(name, () ->
        TestImages.assertSame(ImageDecoder.decode(CASES.get(name), true), CASES.get(name + ".png"))));
  }

  @Test
  void levelsOfPngFilesAreTakenAsTheyAreStored() throws UnusableException {
    byte[] png = bytes(gradient(10, 20), "png");
    byte[] profile = {'x', 0, 0, 1, 2, 3}; // a name, the way of compression, and nothing that could be inflated
    byte[][] chunks = {chunk("gAMA", ByteBuffer.allocate(4).putInt(100_000).array()), chunk("sRGB", new byte[1]),
        chunk("cHRM", new byte[32]), chunk("pHYs", new byte[9]), chunk("iCCP", profile), chunk("bKGD", new byte[6]),
        chunk("sBIT", new byte[] {5, 6, 5})};
    for (byte[] chunk : chunks) {
      byte[] with = inserted(png, chunk);
      assertThat(read(with).pixels()).as(new String(chunk, 4, 4)).isEqualTo(read(png).pixels());
    }
  }

  @Test
  void orientationOfPngFiles() throws UnusableException {
    byte[] png = bytes(gradient(10, 20), "png");
    RgbImage turned = read(TestPng.onItsSide(gradient(10, 20)));
    assertThat(turned.width()).isEqualTo(10);
    assertThat(turned.pixels()).isEqualTo(read(png).pixels());
    assertThat(ImageDecoder.decode(TestPng.onItsSide(gradient(10, 20)), false).width()).isEqualTo(20);
    byte[] cut = Arrays.copyOf(TestPng.exif(6), 15);
    assertThat(read(inserted(png, chunk("eXIf", cut))).pixels()).isEqualTo(read(png).pixels());
  }

  @Test
  void orientationOfTiffFilesIsLeftAsideWhereItIsNotWanted() throws UnusableException {
    RgbImage stored = ImageDecoder.decode(CASES.get("RightTop.tif"), false);
    TestImages.assertSame(stored, CASES.get("rgb.tif.png"));
  }

  @Test
  void otherKinds() {
    assertUnusable("<html>".getBytes(), "is not an image, whatever its name says");
    assertUnusable("RIFF....WEBPVP8 ".getBytes(), "is a WebP file, which is not read; save it as JPEG or PNG");
    assertUnusable("....ftypheic....".getBytes(), "is a HEIC file, which is not read; save it as JPEG or PNG");
    assertUnusable(new byte[0], "is empty");
    String tiff = "is a TIFF file of a kind that is not read: ";
    assertUnusable(changed("grey.tif", 0x0106, 5), tiff + "its colours are CMYK; save it as PNG");
    assertUnusable(changed("grey.tif", 0x0103, 7), tiff + "its compression is JPEG; save it as PNG");
    assertUnusable(changed("grey.tif", 0x0102, 12), tiff + "its levels are not whole numbers of 1, 2, 4, 8 or 16 bits");
    assertUnusable(changed("rgb.tif", 0x0115, 200), tiff + "its pixels have 200 levels each");
    assertUnusable(changed("grey.tif", 0x0117, 60_000), "is damaged: it ends too early");
  }

  /** A little-endian TIFF case with another number for a tag. */
  private static byte[] changed(String name, int tag, int value) {
    byte[] file = CASES.get(name).clone();
    ByteBuffer tiff = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    int entry = tiff.getInt(4) + 2;
    while (tiff.getShort(entry) != (short) tag) {
      entry += 12;
    }
    tiff.putShort(entry + 8, (short) value);
    return file;
  }

  @Test
  void whatIsCutIsFoundOut() {
    for (String name : new String[] {"palette.gif", "interlaced.gif", "frame-in-screen.gif", "rgb.bmp", "run-lengths.bmp",
        "palette.bmp", "rgb.tif", "tiff_lzw.tif", "tiff_deflate.tif", "group4.tif", "tiles.tif"}) {
      byte[] whole = CASES.get(name);
      // BMP and GIF end in bytes that are of no use, TIFF files of this maker in those of their directory.
      for (int length = 8; length < whole.length - 12; length++) {
        byte[] cut = Arrays.copyOf(whole, length);
        assertThatThrownBy(() -> ImageDecoder.decode(cut, true)).as(name + " cut to " + length)
            .isInstanceOf(UnusableException.class).message().startsWith("is damaged");
      }
    }
    for (String format : new String[] {"png", "jpg"}) {
      byte[] whole = bytes(noise(), format);
      for (int length : new int[] {10, 100, whole.length / 2, whole.length * 9 / 10}) {
        assertUnusable(Arrays.copyOf(whole, length), "is damaged");
      }
    }
  }

  @Test
  void gifFramesThatEndTooSoon() {
    byte[] gif = CASES.get("palette.gif").clone();
    int data = gif.length - 1; // after the frame's header: bits of a code, length of a block, the block
    while (gif[data] != 0x2c || ByteBuffer.wrap(gif).order(ByteOrder.LITTLE_ENDIAN).getShort(data + 5) != 19) {
      data--;
    }
    data += 10;
    // The first code begins, as ever; the second, the next number, ends.
    int begin = 1 << gif[data];
    int codes = begin | begin + 1 << gif[data] + 1;
    for (int i = 0; i < 3; i++) {
      gif[data + 2 + i] = (byte) (codes >> 8 * i);
    }
    assertUnusable(gif, "is damaged: it has only 0 of 13 rows");
  }

  @Test
  void damagedFilesAreReadOrRefusedInWords() {
    Random random = new Random(3);
    for (String name : CASES.keySet()) {
      for (int round = 0; round < 60; round++) {
        byte[] damaged = CASES.get(name).clone();
        for (int change = 0; change <= round % 3; change++) {
          int at = 2 + random.nextInt((random.nextBoolean() ? Math.min(damaged.length, 200) : damaged.length) - 2);
          damaged[random.nextInt(4) == 0 ? damaged.length + 1 - at : at] =
              (byte) (random.nextBoolean() ? 0xff : random.nextInt(256));
        }
        try {
          ImageDecoder.decode(damaged, true);
        } catch (UnusableException e) {
          assertThat(e.getMessage()).as(name + " round " + round)
              .matches("(is|has) .+").doesNotContain("Exception", "java", "null");
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
