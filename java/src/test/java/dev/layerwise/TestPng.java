package dev.layerwise;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import javax.imageio.ImageIO;

/** PNG files with further chunks. */
public final class TestPng {
  private static final int HEADER_BYTES = 33;

  private TestPng() {}

  /** A chunk: its length, its name, the content and a checksum. */
  public static byte[] chunk(String name, byte[] content) {
    ByteBuffer chunk = ByteBuffer.allocate(12 + content.length);
    chunk.putInt(content.length).put(name.getBytes(StandardCharsets.US_ASCII)).put(content);
    CRC32 crc = new CRC32();
    crc.update(chunk.array(), 4, 4 + content.length);
    return chunk.putInt((int) crc.getValue()).array();
  }

  /** The file with one more chunk after its header. */
  public static byte[] inserted(byte[] png, byte[] chunk) {
    return ByteBuffer.allocate(png.length + chunk.length)
        .put(png, 0, HEADER_BYTES).put(chunk).put(png, HEADER_BYTES, png.length - HEADER_BYTES).array();
  }

  /** EXIF data that say how an image is turned, 1 to 8. */
  public static byte[] exif(int orientation) {
    return new byte[] {
      'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, (byte) orientation, 0, 0, 0, 0, 0, 0
    };
  }

  /** An image as a camera stores it that is held on its side: turned to the left, with the mark that says so. */
  public static byte[] onItsSide(BufferedImage upright) {
    int width = upright.getWidth();
    BufferedImage stored = new BufferedImage(upright.getHeight(), width, upright.getType());
    for (int y = 0; y < width; y++) {
      for (int x = 0; x < upright.getHeight(); x++) {
        stored.getRaster().setDataElements(x, y, upright.getRaster().getDataElements(width - 1 - y, x, null));
      }
    }
    return inserted(bytes(stored), chunk("eXIf", exif(6)));
  }

  private static byte[] bytes(BufferedImage image) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      ImageIO.write(image, "png", out);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }
}
