package dev.layerwise.data.stream;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import javax.imageio.ImageIO;

/** Small images and folders of them. */
final class TestImages {
  private TestImages() {}

  /** An image of one colour, 0xRRGGBB. */
  static BufferedImage plain(int width, int height, int color) {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        image.setRGB(x, y, color);
      }
    }
    return image;
  }

  /** Red grows to the right, green downwards; no two places are alike. */
  static BufferedImage gradient(int width, int height) {
    BufferedImage image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        image.setRGB(x, y, 255 * x / width << 16 | 255 * y / height << 8 | 80);
      }
    }
    return image;
  }

  static byte[] bytes(BufferedImage image, String format) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      if (!ImageIO.write(image, format, out)) {
        throw new AssertionError("cannot write " + format);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  /** Image files of all kinds, and beside each X the pixels that PIL makes of it as X.png. */
  static Map<String, byte[]> cases() {
    Map<String, byte[]> files = new TreeMap<>();
    try (InputStream in = TestImages.class.getResourceAsStream("image-cases.zip");
        ZipInputStream zip = new ZipInputStream(in)) {
      for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        files.put(entry.getName(), zip.readAllBytes());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return files;
  }

  /** Compares an image to a PNG file, to the bit. */
  static void assertSame(RgbImage image, byte[] png) {
    BufferedImage expected = read(png);
    assertThat(image.width()).isEqualTo(expected.getWidth());
    assertThat(image.height()).isEqualTo(expected.getHeight());
    byte[] pixels = new byte[image.pixels().length];
    for (int i = 0; i < pixels.length; i++) {
      int pixel = i / 3;
      pixels[i] = (byte) (expected.getRGB(pixel % image.width(), pixel / image.width()) >> 8 * (2 - i % 3));
    }
    assertThat(image.pixels()).isEqualTo(pixels);
  }

  /** By Java's own means. */
  static BufferedImage read(byte[] encoded) {
    try {
      return ImageIO.read(new ByteArrayInputStream(encoded));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static Path write(Path file, byte[] content) {
    try {
      Files.createDirectories(file.getParent());
      return Files.write(file, content);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static Path write(Path file, BufferedImage image) {
    String name = file.toString();
    return write(file, bytes(image, name.endsWith("png") ? "png" : "jpg"));
  }

  /** Training images: cat has {@code count}, dog has 2; one test image each. */
  static void writeFolder(Path folder, int count) {
    for (int i = 0; i < count; i++) {
      write(folder.resolve(String.format("train/cat/%03d.png", i)), gradient(40 + i % 5, 30 + i % 7));
    }
    write(folder.resolve("train/dog/a.JPEG"), bytes(plain(20, 50, 0x00ff00), "jpg"));
    write(folder.resolve("train/dog/b.jpg"), plain(50, 20, 0x0000ff));
    write(folder.resolve("val/cat/1.png"), gradient(64, 48));
    write(folder.resolve("val/dog/1.png"), plain(30, 60, 0xff0000));
  }
}
