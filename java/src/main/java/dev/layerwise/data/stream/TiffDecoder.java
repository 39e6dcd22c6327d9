package dev.layerwise.data.stream;

import dev.layerwise.data.stream.ImageDecoder.UnusableException;
import java.awt.image.ColorModel;
import java.awt.image.IndexColorModel;
import java.io.IOException;
import java.util.Map;
import java.util.Set;

/** What of TIFF files is read: whole numbers of 1, 2, 4, 8 or 16 bits that are grey levels, RGB or a palette's. */
final class TiffDecoder {
  private static final int BITS = 0x0102;
  private static final int COMPRESSION = 0x0103;
  private static final int COLORS = 0x0106;
  private static final int PREDICTOR = 0x013d;
  private static final int PALETTE = 0x0140;
  private static final int EXTRA_SAMPLES = 0x0152;
  private static final int SAMPLE_FORMAT = 0x0153;
  private static final int SAMPLES = 0x0115;
  private static final int STRIP_BYTES = 0x0117;
  private static final int TILE_WIDTH = 0x0142;
  private static final int TILE_HEIGHT = 0x0143;
  private static final int TILE_BYTES = 0x0145;
  /** Colours and opacity. */
  private static final int MOST_SAMPLES = 4;
  private static final int MOST_PIXEL_BYTES = 2 * MOST_SAMPLES;
  /** None, those of fax machines, LZW, Deflate under both its numbers, PackBits. */
  private static final Set<Long> COMPRESSIONS = Set.of(1L, 2L, 3L, 4L, 5L, 8L, 32946L, 32773L);
  private static final Set<Long> LEVELS = Set.of(1L, 2L, 4L, 8L, 16L);
  private static final long PALETTE_COLORS = 3;
  private static final Map<Long, String> OTHER_COLORS = Map.of(5L, "CMYK", 6L, "YCbCr", 8L, "CIELab");

  private TiffDecoder() {}

  /**
   * Decodes the first image of a file.
   *
   * @param exif whether to turn the image as the file says
   * @param memory bytes that decoding may take; what would take more is refused by its header
   * @throws UnusableException if it is damaged or of a kind that is not read
   */
  static RgbImage decode(byte[] file, boolean exif, long memory) throws IOException, UnusableException {
    TiffTags tags = new TiffTags(file, 0, file.length);
    check(tags);
    checkParts(tags, file.length, memory);
    return ImageDecoder.decode(
        file, ImageFormat.TIFF, exif ? tags.orientation() : 1, colors -> colors(tags, colors), memory);
  }

  /** Refuses what Java's reader does not read, or reads otherwise than it is meant. */
  private static void check(TiffTags tags) throws UnusableException {
    long colors = tags.first(COLORS, 0);
    if (colors > PALETTE_COLORS) {
      throw unusable("its colours are " + OTHER_COLORS.getOrDefault(colors, "of kind " + colors));
    }
    long compression = tags.first(COMPRESSION, 1);
    if (!COMPRESSIONS.contains(compression)) {
      throw unusable("its compression is " + (compression == 7 ? "JPEG" : "number " + compression));
    }
    long bits = tags.first(BITS, 1);
    if (!LEVELS.contains(bits) || tags.largest(BITS) > bits || tags.first(SAMPLE_FORMAT, 1) != 1) {
      throw unusable("its levels are not whole numbers of 1, 2, 4, 8 or 16 bits");
    }
    if (tags.first(PREDICTOR, 1) != 1 && bits != 8) {
      throw unusable("its compression has a predictor for levels of " + bits + " bits");
    }
    if (tags.first(SAMPLES, 1) > MOST_SAMPLES) {
      throw unusable("its pixels have " + tags.first(SAMPLES, 1) + " levels each");
    }
    if (tags.first(EXTRA_SAMPLES, 0) == 1) {
      throw unusable("its colours are multiplied by their opacity");
    }
  }

  /** Refuses numbers by which Java's reader would take memory before it looks at what they are of. */
  private static void checkParts(TiffTags tags, int fileLength, long memory) throws UnusableException {
    if (Math.max(tags.largest(STRIP_BYTES), tags.largest(TILE_BYTES)) > fileLength) {
      throw new UnusableException("is damaged: it ends too early");
    }
    long height = Math.min(tags.first(TILE_HEIGHT, 0), Integer.MAX_VALUE);
    long width = Math.min(tags.first(TILE_WIDTH, 0), Integer.MAX_VALUE);
    if (height * width > memory / MOST_PIXEL_BYTES) {
      throw new UnusableException("is damaged, or its tiles of " + width + "×" + height + " pixels are too large");
    }
  }

  private static UnusableException unusable(String reason) {
    return new UnusableException("is a TIFF file of a kind that is not read: " + reason + "; save it as PNG");
  }

  /** The palette that samples are looked up in; {@code otherwise} where there is none. */
  private static ColorModel colors(TiffTags tags, ColorModel otherwise) {
    if (!(otherwise instanceof IndexColorModel palette) || tags.first(COLORS, 0) != PALETTE_COLORS) {
      return otherwise;
    }
    // Of 16 bits the upper 8: programs write levels times 256 or times 257. Java's reader knows but one of them.
    int size = palette.getMapSize();
    byte[][] levels = new byte[3][size];
    for (int i = 0; i < 3 * size; i++) {
      levels[i / size][i % size] = (byte) (tags.number(PALETTE, i, 0) >> 8);
    }
    return new IndexColorModel(palette.getPixelSize(), size, levels[0], levels[1], levels[2]);
  }
}
