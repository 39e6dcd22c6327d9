package dev.layerwise.data.stream;

import dev.layerwise.data.stream.ImageReader.Size;
import dev.layerwise.files.FileErrors;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.UnaryOperator;
import javax.imageio.IIOException;
import javax.imageio.ImageReader;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;

/**
 * Reads image files as RGB. Levels are taken as they are stored: colour profiles and gamma are not applied. Grey levels
 * are repeated, palettes looked up, levels of other than 8 bits rounded, and transparency is dropped. Of several images
 * in a file the first is read.
 */
final class ImageDecoder {
  /** More than any camera's image; what claims more would take the memory. */
  private static final long MOST_PIXELS = 100_000_000;
  private static final long MOST_BYTES = 256L << 20;
  private static final int MOST_BITS = 16;

  private ImageDecoder() {}

  /** Why an image cannot be used, in a clause. */
  static final class UnusableException extends Exception {
    private static final long serialVersionUID = 1L;

    UnusableException(String message) {
      super(message);
    }

    UnusableException(String message, Throwable cause) {
      super(message, cause);
    }
  }

  /**
   * Decodes the whole file, so that a damaged one is found out whatever part of it is used.
   *
   * @param exif whether to turn the image as the camera's mark of orientation (EXIF) says
   */
  static RgbImage read(Path file, boolean exif) throws UnusableException {
    return decode(content(file), exif);
  }

  /** A file's bytes, of which there are some. */
  static byte[] content(Path file) throws UnusableException {
    try {
      long size = Files.size(file);
      if (size > MOST_BYTES) {
        throw tooLarge();
      }
      if (size > 0) { // of a pipe that is not known
        return Files.readAllBytes(file);
      }
      try (InputStream in = Files.newInputStream(file)) {
        return content(in);
      }
    } catch (IOException e) {
      throw unreadable(e);
    }
  }

  /** A stream's bytes to its end, of which there are some. */
  static byte[] content(InputStream in) throws UnusableException {
    try {
      byte[] content = in.readNBytes((int) MOST_BYTES + 1);
      if (content.length > MOST_BYTES) {
        throw tooLarge();
      }
      if (content.length == 0) {
        throw new UnusableException("is empty");
      }
      return content;
    } catch (IOException e) {
      throw unreadable(e);
    }
  }

  private static UnusableException tooLarge() {
    return new UnusableException("is larger than " + (MOST_BYTES >> 20) + " MiB");
  }

  private static UnusableException unreadable(IOException e) {
    return new UnusableException("cannot be read: " + FileErrors.reason(e), e);
  }

  /** Decodes all of an encoded image, as {@link #read} does a file. */
  static RgbImage decode(byte[] encoded, boolean exif) throws UnusableException {
    // The other half is for what was read before, and for free space that is not in one piece.
    return decode(encoded, exif, Runtime.getRuntime().maxMemory() / 2);
  }

  /**
   * The same within a limit.
   *
   * @param memory bytes that decoding may take, besides those of the encoded image; what would take more is refused by
   *     its header
   */
  static RgbImage decode(byte[] encoded, boolean exif, long memory) throws UnusableException {
    ImageFormat format = format(encoded);
    long left = memory - encoded.length; // the reader's stream may come to hold a copy
    try {
      return switch (format) {
        case JPEG -> JpegDecoder.decode(encoded, exif, left);
        case GIF -> GifDecoder.decode(encoded, left);
        case TIFF -> TiffDecoder.decode(encoded, exif, left);
        case PNG -> decode(encoded, format, exif ? PngChunks.orientation(encoded) : 1, UnaryOperator.identity(), left);
        case BMP -> decode(encoded, format, 1, UnaryOperator.identity(), left);
      };
    } catch (IOException e) {
      throw new UnusableException(reason(e, format), e);
    } catch (RuntimeException e) {
      // Java's decoders answer some damaged files with IllegalArgumentException, NegativeArraySizeException and others.
      throw new UnusableException("is damaged", e);
    }
  }

  private static ImageFormat format(byte[] encoded) throws UnusableException {
    ImageFormat format = ImageFormat.of(encoded);
    if (format == null) {
      String other = ImageFormat.nameOfOther(encoded);
      throw new UnusableException(other == null ? "is not an image, whatever its name says"
          : "is a " + other + " file, which is not read; save it as JPEG or PNG");
    }
    return format;
  }

  /** Height and width of an encoded image by its header, before it is turned. */
  static Size size(byte[] encoded) throws UnusableException {
    ImageFormat format = format(encoded);
    if (format == ImageFormat.JPEG) {
      JpegHeader header = JpegHeader.parse(encoded);
      return new Size(header.height(), header.width());
    }
    ImageReader reader = null;
    try (ImageInputStream in = new MemoryCacheImageInputStream(new ByteArrayInputStream(encoded))) {
      reader = format.reader();
      reader.setInput(in, true, true);
      return new Size(reader.getHeight(0), reader.getWidth(0));
    } catch (IOException e) {
      throw new UnusableException(reason(e, format), e);
    } catch (RuntimeException e) {
      throw new UnusableException("is damaged", e);
    } finally {
      if (reader != null) {
        reader.dispose();
      }
    }
  }

  private static String reason(IOException error, ImageFormat format) {
    for (Throwable cause = error; cause != null; cause = cause.getCause()) {
      if (cause instanceof EOFException) {
        return "is damaged: it ends too early";
      }
    }
    // libjpeg says in words what it cannot read.
    boolean says = format == ImageFormat.JPEG && error instanceof IIOException && error.getCause() == null;
    return "is damaged or of a kind that is not read" + (says ? ": " + error.getMessage() : "");
  }

  /** Refuses what would take too much memory. */
  static void checkSize(int height, int width, int bytesPerPixel, long memory) throws UnusableException {
    if (height < 1 || width < 1) {
      throw new UnusableException("is damaged: its header does not say how large the image is");
    }
    long pixelCount = (long) height * width;
    if (pixelCount > MOST_PIXELS) {
      throw new UnusableException("has more than " + MOST_PIXELS + " pixels");
    }
    if (pixelCount * bytesPerPixel > memory) {
      throw new UnusableException("has " + width + "×" + height + " pixels, too many for the Java heap"
          + " (LAYERWISE_JAVA_OPTIONS=-Xmx4g makes it larger)");
    }
  }

  /**
   * Decodes by Java's reader.
   *
   * @param colors what the samples mean, by what Java takes them for
   */
  static RgbImage decode(
      byte[] encoded, ImageFormat format, int orientation, UnaryOperator<ColorModel> colors, long memory)
      throws IOException, UnusableException {
    ImageReader reader = format.reader();
    try (ImageInputStream in = new MemoryCacheImageInputStream(new ByteArrayInputStream(encoded))) {
      reader.setInput(in, true, true);
      // The image as Java decodes it, the RGB copy, and the one that is turned.
      int bytesPerPixel = bytesPerPixel(reader) + 3 + (orientation == 1 ? 0 : 3);
      checkSize(reader.getHeight(0), reader.getWidth(0), bytesPerPixel, memory);
      BufferedImage image = reader.read(0);
      return toRgb(image.getRaster(), colors.apply(image.getColorModel())).turned(orientation);
    } finally {
      reader.dispose();
    }
  }

  private static int bytesPerPixel(ImageReader reader) throws IOException {
    ImageTypeSpecifier type = reader.getRawImageType(0);
    return (type.getColorModel().getPixelSize() + 7) / 8;
  }

  /** Takes levels as they are stored, as they would be read from a file that has them. */
  static RgbImage toRgb(BufferedImage image) throws UnusableException {
    ColorModel colors = image.getColorModel();
    int space = colors.getColorSpace().getType();
    if (space != ColorSpace.TYPE_GRAY && space != ColorSpace.TYPE_RGB) {
      throw new UnusableException("is neither grey nor RGB; convert it to RGB");
    }
    if (image.getRaster().getTransferType() == DataBuffer.TYPE_SHORT) {
      throw new UnusableException("has levels with a sign; convert it to RGB");
    }
    if (!colors.isAlphaPremultiplied()) {
      return toRgb(image.getRaster(), colors);
    }
    BufferedImage plain = new BufferedImage(image.getWidth(), image.getHeight(), BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < image.getHeight(); y++) {
      plain.setRGB(0, y, image.getWidth(), 1, image.getRGB(0, y, image.getWidth(), 1, null, 0, image.getWidth()), 0,
          image.getWidth());
    }
    return toRgb(plain.getRaster(), plain.getColorModel());
  }

  /**
   * Takes levels as they are stored. BufferedImage's own conversion would take grey levels for linear light and make
   * them brighter.
   */
  static RgbImage toRgb(Raster raster, ColorModel colors) throws UnusableException {
    int height = raster.getHeight();
    int width = raster.getWidth();
    int bands = raster.getNumBands();
    byte[] pixels = new byte[3 * height * width];
    int[] row = new int[width * Math.max(bands, 3)];
    if (colors instanceof IndexColorModel palette) {
      for (int y = 0; y < height; y++) {
        raster.getSamples(0, y, width, 1, 0, row);
        for (int x = 0; x < width; x++) {
          put(pixels, y * width + x, palette.getRed(row[x]), palette.getGreen(row[x]), palette.getBlue(row[x]));
        }
      }
      return new RgbImage(pixels, height, width);
    }
    boolean grey = bands < 3;
    int[] white = new int[3];
    for (int color = 0; color < 3; color++) {
      int bits = colors.getComponentSize(grey ? 0 : color);
      if (bits > MOST_BITS) {
        throw new UnusableException("has levels of " + bits + " bits, where at most " + MOST_BITS + " are read");
      }
      white[color] = (1 << bits) - 1;
    }
    for (int y = 0; y < height; y++) {
      raster.getPixels(0, y, width, 1, row);
      for (int x = 0; x < width; x++) {
        int first = x * bands;
        put(pixels, y * width + x, level(row[first], white[0]), level(row[grey ? first : first + 1], white[1]),
            level(row[grey ? first : first + 2], white[2]));
      }
    }
    return new RgbImage(pixels, height, width);
  }

  private static void put(byte[] pixels, int pixel, int red, int green, int blue) {
    pixels[3 * pixel] = (byte) red;
    pixels[3 * pixel + 1] = (byte) green;
    pixels[3 * pixel + 2] = (byte) blue;
  }

  private static int level(int value, int white) {
    return white == 255 ? value : (value * 255 + white / 2) / white;
  }
}
