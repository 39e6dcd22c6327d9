package dev.layerwise.data.stream;

/**
 * The tags of the first directory of a TIFF file, or of what has its structure: a camera's EXIF data. Untrusted: what
 * cannot be read is as if it were not there.
 */
final class TiffTags {
  private static final int ORIENTATION = 0x0112;
  private static final int LAST_ORIENTATION = 8;
  /** Types of whole numbers. */
  private static final int BYTE = 1;
  private static final int SHORT = 3;
  private static final int LONG = 4;
  private static final int ENTRY_BYTES = 12;

  private final byte[] bytes;
  private final int start;
  private final int end;
  private final boolean bigEndian;

  private TiffTags(byte[] bytes, int start, int end) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.bigEndian = bytes[start] == 'M';
  }

  /** How the image between two places of an array is turned: 1 to 8, as EXIF numbers it; 1 where nothing says so. */
  static int orientation(byte[] bytes, int start, int end) {
    long value = first(bytes, start, end, ORIENTATION, 1);
    return value >= 1 && value <= LAST_ORIENTATION ? (int) value : 1;
  }

  /** The first number of a tag, or {@code otherwise}. */
  static long first(byte[] bytes, int start, int end, int tag, long otherwise) {
    if (end - start < 8 || bytes[start] != bytes[start + 1] || (bytes[start] != 'I' && bytes[start] != 'M')) {
      return otherwise;
    }
    return new TiffTags(bytes, start, end).first(tag, otherwise);
  }

  private long first(int tag, long otherwise) {
    long directory = number(4, 4);
    if (number(2, 2) != 42 || directory < 8 || directory > end - start - 2) {
      return otherwise;
    }
    long entries = number(directory, 2);
    for (long entry = directory + 2; entries > 0 && entry + ENTRY_BYTES <= end - start; entry += ENTRY_BYTES) {
      if (number(entry, 2) == tag) {
        return value(entry, otherwise);
      }
      entries--;
    }
    return otherwise;
  }

  private long value(long entry, long otherwise) {
    int size = switch ((int) number(entry + 2, 2)) {
      case BYTE -> 1;
      case SHORT -> 2;
      case LONG -> 4;
      default -> 0;
    };
    long count = number(entry + 4, 4);
    long place = count * size > 4 ? number(entry + 8, 4) : entry + 8;
    return size == 0 || count == 0 || place > end - start - size ? otherwise : number(place, size);
  }

  /** An unsigned number at a place within the structure. */
  private long number(long at, int size) {
    long value = 0;
    for (int i = 0; i < size; i++) {
      int place = (int) at + (bigEndian ? i : size - 1 - i);
      value = value << 8 | bytes[start + place] & 0xff;
    }
    return value;
  }
}
