package dev.layerwise.data.stream;

import java.io.IOException;
import java.util.Arrays;
import java.util.Iterator;
import javax.imageio.ImageReader;
import javax.imageio.spi.IIORegistry;
import javax.imageio.spi.ImageReaderSpi;

/** The kinds of image files that are read. */
enum ImageFormat {
  JPEG("ÿØÿ"),
  PNG("\u0089PNG\r\n\u001a\n");

  private static final String PLUGINS_OF_JAVA = "com.sun.imageio.plugins.";

  /** How files begin, a character per byte. */
  private final String signature;
  private ImageReaderSpi provider;

  ImageFormat(String signature) {
    this.signature = signature;
  }

  /** The kind that a file is by its content; null if it is none of these. */
  static ImageFormat of(byte[] file) {
    for (ImageFormat format : values()) {
      if (format.fits(file)) {
        return format;
      }
    }
    return null;
  }

  private boolean fits(byte[] file) {
    for (int i = 0; i < signature.length(); i++) {
      if (i >= file.length || (file[i] & 0xff) != signature.charAt(i)) {
        return false;
      }
    }
    return true;
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
