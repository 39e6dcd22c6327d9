package dev.layerwise.data.stream;

import dev.layerwise.data.stream.ImageDecoder.UnusableException;
import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import javax.imageio.ImageReader;
import javax.imageio.event.IIOReadUpdateListener;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;

/** Decodes the first frame of GIF files, placed on the whole picture as the file says. */
final class GifDecoder {
  private static final int IMAGE = 0x2c;
  private static final int EXTENSION = 0x21;
  /** A picture's header: signature, width, height, flags, number of the background's colour, shape of pixels. */
  private static final int HEADER_BYTES = 13;
  /** A frame's after its mark: left, top, width, height, flags. */
  private static final int FRAME_BYTES = 9;

  private GifDecoder() {}

  /**
   * Decodes a whole frame. What the picture has beside it gets the transparent colour, or the first one.
   *
   * @param memory bytes that decoding may take; what would take more is refused by its header
   * @throws UnusableException if the file is damaged
   */
  static RgbImage decode(byte[] file, long memory) throws IOException, UnusableException {
    int frame = firstFrame(file);
    int left = pair(file, frame);
    int top = pair(file, frame + 2);
    int width = Math.max(pair(file, 6), left + pair(file, frame + 4));
    int height = Math.max(pair(file, 8), top + pair(file, frame + 6));
    // The frame's numbers of colours, its colours, the picture.
    ImageDecoder.checkSize(height, width, 1 + 3 + 3, memory);
    BufferedImage decoded = read(file);
    RgbImage inner = ImageDecoder.toRgb(decoded.getRaster(), decoded.getColorModel());
    if (inner.width() == width && inner.height() == height) {
      return inner;
    }
    IndexColorModel palette = (IndexColorModel) decoded.getColorModel();
    int around = palette.getRGB(Math.max(palette.getTransparentPixel(), 0));
    byte[] pixels = new byte[3 * height * width];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (byte) (around >> 16 - i % 3 * 8);
    }
    for (int row = 0; row < inner.height(); row++) {
      System.arraycopy(
          inner.pixels(), 3 * row * inner.width(), pixels, 3 * ((top + row) * width + left), 3 * inner.width());
    }
    return new RgbImage(pixels, height, width);
  }

  private static BufferedImage read(byte[] file) throws IOException, UnusableException {
    ImageReader reader = ImageFormat.GIF.reader();
    try (ImageInputStream in = new MemoryCacheImageInputStream(new ByteArrayInputStream(file))) {
      Rows rows = new Rows();
      reader.addIIOReadUpdateListener(rows);
      reader.setInput(in, true, true);
      BufferedImage image = reader.read(0);
      if (rows.count < image.getHeight()) { // the reader leaves the others empty and says nothing
        throw new UnusableException("is damaged: it has only " + rows.count + " of " + image.getHeight() + " rows");
      }
      return image;
    } finally {
      reader.dispose();
    }
  }

  /** Counts the rows that are decoded. */
  private static final class Rows implements IIOReadUpdateListener {
    int count;

    @Override
    public void imageUpdate(
        ImageReader source, BufferedImage image, int left, int top, int width, int height, int periodX, int periodY,
        int[] bands) {
      count += height;
    }

    @Override
    public void passStarted(
        ImageReader source, BufferedImage image, int pass, int minPass, int maxPass, int minX, int minY, int periodX,
        int periodY, int[] bands) {}

    @Override
    public void passComplete(ImageReader source, BufferedImage image) {}

    @Override
    public void thumbnailPassStarted(
        ImageReader source, BufferedImage thumbnail, int pass, int minPass, int maxPass, int minX, int minY,
        int periodX, int periodY, int[] bands) {}

    @Override
    public void thumbnailUpdate(
        ImageReader source, BufferedImage thumbnail, int minX, int minY, int width, int height, int periodX,
        int periodY, int[] bands) {}

    @Override
    public void thumbnailPassComplete(ImageReader source, BufferedImage thumbnail) {}
  }

  /** Where the first frame's header begins, after its mark. */
  private static int firstFrame(byte[] file) throws UnusableException {
    int at = HEADER_BYTES + colorBytes(file, HEADER_BYTES - 3);
    while (at < file.length && level(file, at) == EXTENSION) {
      at += 2;
      while (level(file, at) != 0) { // blocks, each after its length
        at += 1 + level(file, at);
      }
      at++;
    }
    if (level(file, at) != IMAGE || at + 1 + FRAME_BYTES > file.length) {
      throw new UnusableException("is damaged: it has no image");
    }
    return at + 1;
  }

  /** Bytes of a table of colours, by the flags that tell of it. */
  private static int colorBytes(byte[] file, int flags) throws UnusableException {
    int value = level(file, flags);
    return (value & 0x80) == 0 ? 0 : 3 << (value & 7) + 1;
  }

  private static int pair(byte[] file, int at) {
    return file[at] & 0xff | (file[at + 1] & 0xff) << 8;
  }

  private static int level(byte[] file, int at) throws UnusableException {
    if (at >= file.length) {
      throw new UnusableException("is damaged: it ends too early");
    }
    return file[at] & 0xff;
  }
}
