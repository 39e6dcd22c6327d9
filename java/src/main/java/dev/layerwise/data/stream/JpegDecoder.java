package dev.layerwise.data.stream;

import dev.layerwise.data.stream.ImageDecoder.UnusableException;
import dev.layerwise.files.FileErrors;
import dev.layerwise.nativelib.InvalidArgumentException;
import dev.layerwise.nativelib.NativeImages;
import java.awt.image.DataBufferByte;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import javax.imageio.stream.MemoryCacheImageInputStream;

/**
 * Decodes JPEG files to the levels that PIL reads, to the bit: by libjpeg-turbo where the native library has it, otherwise, and
 * for rare colours, by Java with the same result. Java's decoder only hands out the components as they are
 * stored. It never sees the applications' segments, by which it would convert colours in its own way: {@link JpegHeader}
 * says what the components are, and profiles are not applied. (Where chroma has half the rows but all the columns, the
 * bits are PIL's only if Java uses libjpeg-turbo, as PIL does; the older libjpeg repeats such rows.)
 */
final class JpegDecoder {
  /** libjpeg's tables: for each level of Cb or Cr what it adds to a colour; for green in 1/65536. */
  private static final int[] RED_OF_CR = new int[256];
  private static final int[] GREEN_OF_CR = new int[256];
  private static final int[] GREEN_OF_CB = new int[256];
  private static final int[] BLUE_OF_CB = new int[256];

  static {
    for (int level = 0; level < 256; level++) {
      int centered = level - 128;
      RED_OF_CR[level] = fixed(1.402) * centered + fixed(0.5) >> 16;
      BLUE_OF_CB[level] = fixed(1.772) * centered + fixed(0.5) >> 16;
      GREEN_OF_CR[level] = -fixed(0.71414) * centered;
      GREEN_OF_CB[level] = -fixed(0.34414) * centered + fixed(0.5);
    }
  }

  private JpegDecoder() {}

  /** Whether the native library decodes, and why not. */
  private static final class Native {
    static final Optional<String> PROBLEM = problem();

    private static Optional<String> problem() {
      try {
        // A packaged program has libjpeg in its Java runtime only; once Java has loaded it there, it is found.
        ImageFormat.JPEG.reader().dispose();
      } catch (IOException e) {
        return Optional.of("Java's JPEG decoder does not start: " + FileErrors.reason(e));
      }
      return NativeImages.jpegProblem();
    }
  }

  /** Why files are decoded by Java, which takes longer, and what to do; empty if they are not. */
  static Optional<String> nativeProblem() {
    return Native.PROBLEM;
  }

  private static int fixed(double number) {
    return (int) (number * 65536 + 0.5);
  }

  /**
   * Decodes a whole file.
   *
   * @param exif whether to turn the image as its EXIF data say
   * @param memory bytes that decoding may take; what would take more is refused by its header
   * @throws UnusableException if it is damaged or of a kind that is not read
   */
  static RgbImage decode(byte[] file, boolean exif, long memory) throws IOException, UnusableException {
    JpegHeader header = JpegHeader.parse(file);
    int components = header.colors().components;
    int orientation = exif ? header.orientation() : 1;
    int bytesPerPixel = components + (components == 3 ? 0 : 3) + (orientation == 1 ? 0 : 3);
    ImageDecoder.checkSize(header.height(), header.width(), bytesPerPixel, memory);
    NativeImages.JpegColors colors = nativeColors(header.colors());
    byte[] pixels =
        colors != null && nativeProblem().isEmpty()
            ? decodeNatively(file, header, colors)
            : decodeByJava(file, header);
    return new RgbImage(pixels, header.height(), header.width()).turned(orientation);
  }

  /** {@code null} for rare colours, which are left to Java. */
  private static NativeImages.JpegColors nativeColors(JpegHeader.Colors colors) {
    return switch (colors) {
      case RGB -> NativeImages.JpegColors.RGB;
      case GREY -> NativeImages.JpegColors.GREY;
      case YCBCR -> NativeImages.JpegColors.YCBCR;
      case CMYK, YCCK -> null;
    };
  }

  private static byte[] decodeNatively(byte[] file, JpegHeader header, NativeImages.JpegColors colors)
      throws UnusableException {
    try {
      return NativeImages.decodeJpeg(tablesAndScans(file, header), colors, header.height(), header.width());
    } catch (InvalidArgumentException e) {
      throw unusable(e);
    }
  }

  private static byte[] tablesAndScans(byte[] file, JpegHeader header) {
    byte[] tables = header.tables();
    int scans = file.length - header.scan();
    byte[] all = Arrays.copyOf(tables, tables.length + scans);
    System.arraycopy(file, header.scan(), all, tables.length, scans);
    return all;
  }

  private static UnusableException unusable(InvalidArgumentException e) {
    return new UnusableException("is damaged or of a kind that is not read: " + e.getMessage(), e);
  }

  /**
   * Decodes a file as {@link SquareDecoder} wants it, if the native library can.
   *
   * @return whether it can
   */
  static boolean toSquare(byte[] file, boolean exif, SquareDecoder.Placing placing, int size, byte[] target, int offset)
      throws UnusableException {
    JpegHeader header = JpegHeader.parse(file);
    NativeImages.JpegColors colors = nativeColors(header.colors());
    if (colors == null || exif && header.orientation() != 1 || nativeProblem().isPresent()) {
      return false;
    }
    ImageDecoder.checkSize(header.height(), header.width(), header.colors().components, Long.MAX_VALUE);
    SquareDecoder.Placement placement = placing.in(header.height(), header.width());
    Resampler.Box box = placement.box();
    try {
      NativeImages.resampleJpeg(
          tablesAndScans(file, header), colors, header.height(), header.width(),
          new NativeImages.Square(box.top(), box.left(), box.height(), box.width(), size, placement.flip()), target, offset);
      return true;
    } catch (InvalidArgumentException e) {
      throw unusable(e);
    }
  }

  /** The same levels, more slowly. */
  static byte[] decodeByJava(byte[] file, JpegHeader header) throws IOException, UnusableException {
    int components = header.colors().components;
    Raster raster = components(file, header);
    byte[] levels = ((DataBufferByte) raster.getDataBuffer()).getData();
    if (raster.getNumBands() != components || levels.length != components * header.height() * header.width()) {
      throw new UnusableException("is damaged: its scans do not fit its header");
    }
    return switch (header.colors()) {
      case RGB -> levels;
      case GREY -> greyToRgb(levels);
      case YCBCR -> yccToRgb(levels, 3);
      case CMYK -> cmykToRgb(levels);
      case YCCK -> cmykToRgb(invertColors(yccToRgb(levels, 4)));
    };
  }

  /** The components' levels, interleaved. */
  private static Raster components(byte[] file, JpegHeader header) throws IOException, UnusableException {
    InputStream scans = new ByteArrayInputStream(file, header.scan(), file.length - header.scan());
    InputStream all = new SequenceInputStream(new ByteArrayInputStream(header.tables()), scans);
    ImageReader reader = ImageFormat.JPEG.reader();
    try (ImageInputStream in = new MemoryCacheImageInputStream(all)) {
      String[] damage = new String[1];
      reader.addIIOReadWarningListener((source, warning) -> {
        if (meansDamage(warning)) {
          damage[0] = warning;
        }
      });
      reader.setInput(in, true, true);
      Raster raster = reader.readRaster(0, null);
      if (damage[0] != null) {
        throw new UnusableException("is damaged: " + damage[0]);
      }
      return raster;
    } finally {
      reader.dispose();
    }
  }

  /** The decoder fills what is missing with grey and only warns; it warns of lesser oddities, too. */
  private static boolean meansDamage(String warning) {
    String words = warning.toLowerCase(Locale.ROOT);
    return words.contains("premature") || words.contains("truncated") || words.contains("corrupt");
  }

  private static byte[] greyToRgb(byte[] levels) {
    byte[] pixels = new byte[3 * levels.length];
    for (int i = 0; i < levels.length; i++) {
      pixels[3 * i] = levels[i];
      pixels[3 * i + 1] = levels[i];
      pixels[3 * i + 2] = levels[i];
    }
    return pixels;
  }

  /**
   * Changes the first three components of each pixel in place.
   *
   * @param components of a pixel
   */
  private static byte[] yccToRgb(byte[] levels, int components) {
    for (int i = 0; i < levels.length; i += components) {
      int luminance = levels[i] & 0xff;
      int cb = levels[i + 1] & 0xff;
      int cr = levels[i + 2] & 0xff;
      levels[i] = clamped(luminance + RED_OF_CR[cr]);
      levels[i + 1] = clamped(luminance + (GREEN_OF_CB[cb] + GREEN_OF_CR[cr] >> 16));
      levels[i + 2] = clamped(luminance + BLUE_OF_CB[cb]);
    }
    return levels;
  }

  private static byte clamped(int level) {
    return (byte) Math.max(0, Math.min(level, 255));
  }

  /** In place; not K. */
  private static byte[] invertColors(byte[] cmyk) {
    for (int i = 0; i < cmyk.length; i += 4) {
      cmyk[i] = (byte) ~cmyk[i];
      cmyk[i + 1] = (byte) ~cmyk[i + 1];
      cmyk[i + 2] = (byte) ~cmyk[i + 2];
    }
    return cmyk;
  }

  /**
   * Takes CMYK for inverted (0: most ink), as Adobe's programs write it and PIL reads it, whatever the file says. A
   * colour is what its ink and the black let through.
   */
  private static byte[] cmykToRgb(byte[] cmyk) {
    byte[] pixels = new byte[cmyk.length / 4 * 3];
    for (int i = 0, pixel = 0; i < cmyk.length; i += 4) {
      int white = cmyk[i + 3] & 0xff;
      for (int color = 0; color < 3; color++) {
        int ink = 255 - (cmyk[i + color] & 0xff);
        int product = ink * white + 128;
        pixels[pixel++] = (byte) (white - (product + (product >> 8) >> 8)); // ink · white / 255, rounded
      }
    }
    return pixels;
  }
}
