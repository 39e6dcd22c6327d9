package dev.layerwise.data.stream;

/** What the chunks of a PNG file say that Java's reader passes over. */
final class PngChunks {
  private static final int SIGNATURE_BYTES = 8;
  private static final int EXIF = 'e' << 24 | 'X' << 16 | 'I' << 8 | 'f';
  /** Besides its content, a chunk has its length, its name and a checksum. */
  private static final int FRAME_BYTES = 12;

  private PngChunks() {}

  /** How the image is turned, as EXIF numbers it; 1 where nothing says so that can be read. */
  static int orientation(byte[] file) {
    long at = SIGNATURE_BYTES;
    while (at + FRAME_BYTES <= file.length) {
      int content = (int) at + 8;
      long length = number(file, (int) at) & 0xffffffffL;
      if (content + length > file.length) {
        return 1;
      }
      if (number(file, (int) at + 4) == EXIF) {
        return new TiffTags(file, content, (int) (content + length)).orientation();
      }
      at += FRAME_BYTES + length;
    }
    return 1;
  }

  private static int number(byte[] file, int at) {
    return (file[at] & 0xff) << 24 | (file[at + 1] & 0xff) << 16 | (file[at + 2] & 0xff) << 8 | file[at + 3] & 0xff;
  }
}
