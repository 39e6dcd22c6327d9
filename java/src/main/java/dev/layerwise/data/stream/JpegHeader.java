package dev.layerwise.data.stream;

import dev.layerwise.data.stream.ImageDecoder.UnusableException;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * What a JPEG file says before its first scan. The colours follow the rules of libjpeg, which all that is built on it
 * shares: a JFIF segment means YCbCr; otherwise Adobe's segment decides; otherwise the components' numbers.
 *
 * @param orientation 1 to 8, as EXIF numbers them; 1 (upright) where the file has no such mark that can be read
 * @param tables the segments that decoding needs, from the start of the image on: neither applications' segments nor
 *     comments
 * @param scan where in the file the first scan begins
 */
record JpegHeader(int height, int width, Colors colors, int orientation, byte[] tables, int scan) {
  /** What the components are. */
  enum Colors {
    GREY(1),
    YCBCR(3),
    RGB(3),
    CMYK(4),
    /** CMY as YCbCr is to RGB, and K. */
    YCCK(4);

    final int components;

    Colors(int components) {
      this.components = components;
    }
  }

  private static final int START_OF_SCAN = 0xda;
  private static final int END_OF_IMAGE = 0xd9;
  private static final int COMMENT = 0xfe;
  /** Of application segments: APP0 and those after it. */
  private static final int JFIF = 0xe0;
  private static final int EXIF = 0xe1;
  private static final int ADOBE = 0xee;
  /** Length of a JFIF segment's content without a thumbnail; shorter ones do not count. */
  private static final int JFIF_LENGTH = 14;
  /** Of Adobe's, whose last byte says how colours were transformed. */
  private static final int ADOBE_LENGTH = 12;
  private static final int BITS = 8;

  /**
   * Looks through a file that begins as JPEG files do.
   *
   * @throws UnusableException if it is damaged before the first scan, or of a kind that is not read
   */
  static JpegHeader parse(byte[] file) throws UnusableException {
    return new Parser(file).parse();
  }

  /** Goes from segment to segment. */
  private static final class Parser {
    private final byte[] file;
    private final ByteArrayOutputStream tables = new ByteArrayOutputStream();
    private int height;
    private int width;
    /** The components' numbers; null before the frame's header. */
    private int[] components;
    private boolean jfif;
    /** 0: as they are, 1: YCbCr, 2: YCCK; −1 without Adobe's segment. */
    private int adobeTransform = -1;
    private int orientation;

    Parser(byte[] file) {
      this.file = file;
    }

    JpegHeader parse() throws UnusableException {
      tables.write(file, 0, 2);
      int at = 2;
      while (true) {
        int start = at;
        while (at < file.length && level(at) == 0xff) { // any number of them may stand before a marker
          at++;
        }
        if (at >= file.length) {
          throw new UnusableException("is damaged: it ends before its image begins");
        }
        int marker = level(at);
        if (at == start || marker == 0 || marker == END_OF_IMAGE) {
          throw new UnusableException("is damaged: its header is broken at byte " + start);
        }
        if (marker == START_OF_SCAN) {
          return header(at - 1);
        }
        at++;
        if (marker < 0xc0 || (marker >= 0xd0 && marker <= 0xd8)) {
          writeMarker(marker); // stands alone
          continue;
        }
        int end = at + (at + 2 <= file.length ? pair(at) : 0);
        if (end < at + 2 || end > file.length) {
          throw new UnusableException("is damaged: its header is cut short or broken at byte " + start);
        }
        segment(marker, at, end);
        at = end;
      }
    }

    /** Takes a segment; its content begins after two bytes for its length. */
    private void segment(int marker, int start, int end) throws UnusableException {
      int content = start + 2;
      int length = end - content;
      if (marker == JFIF && length >= JFIF_LENGTH && begins(content, "JFIF\0")) {
        jfif = true;
      } else if (marker == ADOBE && length >= ADOBE_LENGTH && begins(content, "Adobe")) {
        adobeTransform = level(content + ADOBE_LENGTH - 1);
      } else if (marker == EXIF && orientation == 0 && length > 6 && begins(content, "Exif\0")) {
        orientation = new TiffTags(file, content + 6, end).orientation();
      }
      if ((marker & 0xf0) == JFIF || marker == COMMENT) {
        return;
      }
      if (isFrame(marker) && components == null) {
        frame(content, length);
      }
      writeMarker(marker);
      tables.write(file, start, end - start);
    }

    /** SOF0 to SOF15 without DHT, JPG and DAC. */
    private static boolean isFrame(int marker) {
      return (marker & 0xf0) == 0xc0 && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    }

    private void frame(int at, int length) throws UnusableException {
      if (length < 6 || length < 6 + 3 * level(at + 5)) {
        throw new UnusableException("is damaged: its header is cut short or broken at byte " + at);
      }
      if (level(at) != BITS) {
        throw new UnusableException("is a JPEG file with levels of " + level(at) + " bits; only " + BITS + " are read");
      }
      height = pair(at + 1);
      width = pair(at + 3);
      components = new int[level(at + 5)];
      for (int i = 0; i < components.length; i++) {
        components[i] = level(at + 6 + 3 * i);
      }
    }

    private JpegHeader header(int scan) throws UnusableException {
      if (components == null) {
        throw new UnusableException("is damaged: its header does not say what the image is like");
      }
      return new JpegHeader(height, width, colors(), Math.max(orientation, 1), tables.toByteArray(), scan);
    }

    private Colors colors() throws UnusableException {
      switch (components.length) {
        case 1:
          return Colors.GREY;
        case 3:
          if (jfif) {
            return Colors.YCBCR;
          }
          if (adobeTransform >= 0) {
            return adobeTransform == 0 ? Colors.RGB : Colors.YCBCR;
          }
          return Arrays.equals(components, new int[] {'R', 'G', 'B'}) ? Colors.RGB : Colors.YCBCR;
        case 4:
          return adobeTransform > 0 ? Colors.YCCK : Colors.CMYK;
        default:
          throw new UnusableException(
              "is a JPEG file of " + components.length + " components, where 1, 3 or 4 are read");
      }
    }

    private boolean begins(int at, String word) {
      byte[] bytes = word.getBytes(StandardCharsets.US_ASCII);
      return Arrays.equals(file, at, at + bytes.length, bytes, 0, bytes.length);
    }

    private void writeMarker(int marker) {
      tables.write(0xff);
      tables.write(marker);
    }

    private int level(int at) {
      return file[at] & 0xff;
    }

    private int pair(int at) {
      return level(at) << 8 | level(at + 1);
    }
  }
}
