package dev.layerwise.data.stream;

import dev.layerwise.FileErrors;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Locale;
import java.util.Set;
import javax.imageio.IIOException;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;

/**
 * Reads JPEG and PNG files as RGB. Grey levels are repeated, palettes looked up, 16-bit levels rounded to 8 bits, and
 * transparency is dropped; colour profiles and the camera's orientation mark are not applied.
 */
final class ImageDecoder {
  private static final Set<String> FORMATS = Set.of("jpeg", "jpg", "png");
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

  /** Decodes the whole file, so that a damaged one is found out whatever part of it is used. */
  static RgbImage read(Path file) throws UnusableException {
    try {
      long size = Files.size(file);
      if (size == 0 || size > MOST_BYTES) {
        throw new UnusableException(size == 0 ? "is empty" : "is larger than " + (MOST_BYTES >> 20) + " MiB");
      }
      return decode(Files.readAllBytes(file));
    } catch (IOException e) {
      throw new UnusableException("cannot be read: " + FileErrors.reason(e), e);
    }
  }

  /** Decodes all of an encoded image, so that a damaged one is found out whatever part of it is used. */
  static RgbImage decode(byte[] encoded) throws UnusableException {
    // The other half is for what was read before, and for free space that is not in one piece.
    return decode(encoded, Runtime.getRuntime().maxMemory() / 2);
  }

  /**
   * The same within a limit.
   *
   * @param memory bytes that decoding may take, besides those of the encoded image; what would take more is refused by
   *     its header
   */
  static RgbImage decode(byte[] encoded, long memory) throws UnusableException {
    try (ImageInputStream in = new MemoryCacheImageInputStream(new ByteArrayInputStream(encoded))) {
      return decode(in, memory - encoded.length); // the stream may come to hold a copy
    } catch (IOException e) {
      throw new UnusableException((e instanceof IIOException ? "is damaged or of a kind that is not read: "
          : "cannot be read: ") + FileErrors.reason(e), e);
    } catch (RuntimeException e) {
      // Java's decoders answer some damaged files with IllegalArgumentException, NegativeArraySizeException and others.
      throw new UnusableException("is damaged: " + e, e);
    }
  }

  private static RgbImage decode(ImageInputStream in, long memory) throws IOException, UnusableException {
    Iterator<ImageReader> readers = ImageIO.getImageReaders(in);
    if (!readers.hasNext()) {
      throw new UnusableException("is not an image, whatever its name says");
    }
    ImageReader reader = readers.next();
    try {
      if (!FORMATS.contains(reader.getFormatName().toLowerCase(Locale.ROOT))) {
        throw new UnusableException("is a " + reader.getFormatName() + " file, where JPEG or PNG is expected");
      }
      String[] damage = new String[1];
      reader.addIIOReadWarningListener((source, warning) -> {
        if (meansDamage(warning)) {
          damage[0] = warning;
        }
      });
      reader.setInput(in, true, true);
      long pixelCount = (long) reader.getWidth(0) * reader.getHeight(0);
      if (pixelCount > MOST_PIXELS) {
        throw new UnusableException("has more than " + MOST_PIXELS + " pixels");
      }
      if (pixelCount * bytesPerPixel(reader) > memory) {
        throw new UnusableException(
            "has " + reader.getWidth(0) + "×" + reader.getHeight(0) + " pixels, too many for the Java heap"
                + " (LAYERWISE_JAVA_OPTIONS=-Xmx4g makes it larger)");
      }
      BufferedImage image = reader.read(0);
      if (damage[0] != null) {
        throw new UnusableException("is damaged: " + damage[0]);
      }
      boolean jpeg = !reader.getFormatName().equalsIgnoreCase("png");
      if (jpeg && image.getRaster().getNumBands() == 4) {
        // Without Adobe's mark Java takes four components for colours and transparency; they are CMYK.
        throw new UnusableException("is a CMYK image; convert it to RGB");
      }
      return toRgb(image);
    } finally {
      reader.dispose();
    }
  }

  /** Of the image as Java decodes it, and of the RGB copy. */
  private static int bytesPerPixel(ImageReader reader) throws IOException {
    ImageTypeSpecifier type = reader.getRawImageType(0);
    int decoded = type == null ? 4 : (type.getColorModel().getPixelSize() + 7) / 8; // null: of four components
    return decoded + 3;
  }

  /** The JPEG decoder fills what is missing with grey and only warns; its other warnings are about metadata. */
  private static boolean meansDamage(String warning) {
    String words = warning.toLowerCase(Locale.ROOT);
    return words.contains("premature") || words.contains("truncated") || words.contains("corrupt");
  }

  /**
   * Takes levels as they are stored. BufferedImage's own conversion would take grey levels for linear light and make
   * them brighter.
   */
  private static RgbImage toRgb(BufferedImage image) throws UnusableException {
    int height = image.getHeight();
    int width = image.getWidth();
    ColorModel colors = image.getColorModel();
    Raster raster = image.getRaster();
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
    int bits = colors.getComponentSize(0);
    if (bits > MOST_BITS) {
      throw new UnusableException("has levels of " + bits + " bits, where at most " + MOST_BITS + " are read");
    }
    int white = (1 << bits) - 1;
    boolean grey = bands < 3;
    for (int y = 0; y < height; y++) {
      raster.getPixels(0, y, width, 1, row);
      for (int x = 0; x < width; x++) {
        int first = x * bands;
        put(pixels, y * width + x, level(row[first], white), level(row[grey ? first : first + 1], white),
            level(row[grey ? first : first + 2], white));
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
