package dev.layerwise.data.stream;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Iterator;
import java.util.Locale;
import java.util.Set;
import javax.imageio.ImageReader;
import javax.imageio.spi.IIORegistry;
import javax.imageio.spi.ImageReaderSpi;

/** The kinds of image files that are read. */
enum ImageFormat {
  JPEG("ÿØÿ"),
  PNG("\u0089PNG\r\n\u001a\n"),
  GIF("GIF8"),
  BMP("BM"),
  TIFF("II*\0", "MM\0*");

  /** Names of files that are read end in one of these, in letters of either case. */
  private static final Set<String> ENDINGS =
      Set.of(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".dib", ".tif", ".tiff");
  private static final Set<String> ENDINGS_OF_OTHERS =
      Set.of(
          ".webp", ".heic", ".heif", ".avif", ".jxl", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".psd",
          ".svg", ".ico", ".exr", ".hdr", ".dng", ".cr2", ".nef", ".arw", ".raw");
  private static final String PLUGINS_OF_JAVA = "com.sun.imageio.plugins.";

  /** How files begin, a character per byte. */
  private final String[] signatures;
  private ImageReaderSpi provider;

  ImageFormat(String... signatures) {
    this.signatures = signatures;
  }

  /** Whether a file of this name is read. */
  static boolean isRead(String name) {
    return ENDINGS.contains(ending(name));
  }

  /** Whether a file of this name is an image of a kind that is not read. */
  static boolean isImageOfOtherKind(String name) {
    return ENDINGS_OF_OTHERS.contains(ending(name));
  }

  /** The end of a name from its last dot on, in small letters; empty where it has none. */
  static String ending(String name) {
    int dot = name.lastIndexOf('.');
    return dot < 0 ? "" : name.substring(dot).toLowerCase(Locale.ROOT);
  }

  /** The kind that a file is by its content; null if it is none of these. */
  static ImageFormat of(byte[] file) {
    for (ImageFormat format : values()) {
      for (String signature : format.signatures) {
        if (begins(file, 0, signature)) {
          return format;
        }
      }
    }
    return null;
  }

  /** What a file of none of these kinds is called; null if it is not known either. */
  static String nameOfOther(byte[] file) {
    if (begins(file, 0, "RIFF") && begins(file, 8, "WEBP")) {
      return "WebP";
    }
    if (begins(file, 4, "ftypavif")) {
      return "AVIF";
    }
    if (begins(file, 4, "ftyphei") || begins(file, 4, "ftypmif1")) {
      return "HEIC";
    }
    if (begins(file, 0, "II+\0") || begins(file, 0, "MM\0+")) {
      return "BigTIFF";
    }
    return begins(file, 0, "P5\n") || begins(file, 0, "P6\n") ? "PNM" : null;
  }

  private static boolean begins(byte[] file, int at, String signature) {
    int length = signature.length();
    return file.length >= at + length
        && new String(file, at, length, StandardCharsets.ISO_8859_1).equals(signature);
  }

  /** Java's own reader, whatever others there are in the program: what an image becomes depends on nothing else. */
  ImageReader reader() throws IOException {
    return provider().createReaderInstance();
  }

  private synchronized ImageReaderSpi provider() {
    if (provider == null) {
      Iterator<ImageReaderSpi> providers =
          IIORegistry.getDefaultInstance().getServiceProviders(ImageReaderSpi.class, true);
      while (provider == null) {
        ImageReaderSpi candidate = providers.next();
        if (candidate.getClass().getName().startsWith(PLUGINS_OF_JAVA)
            && Arrays.asList(candidate.getFormatNames()).contains(name())) {
          provider = candidate;
        }
      }
    }
    return provider;
  }
}
