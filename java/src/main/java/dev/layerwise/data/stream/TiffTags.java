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
  private static final int HEADER_BYTES = 8;
  private static final int ENTRY_BYTES = 12;

  private final byte[] bytes;
  private final int start;
  private final int length;
  private final boolean bigEndian;
  /** Where the entries begin, from the start on, and how many of them there are. */
  private final int entries;
  private final int count;

  /** Takes what lies between two places of an array. */
  TiffTags(byte[] bytes, int start, int end) {
    this.bytes = bytes;
    this.start = start;
    length = end - start;
    bigEndian = length > 0 && bytes[start] == 'M';
    boolean begins = length >= HEADER_BYTES && bytes[start] == bytes[start + 1]
        && (bigEndian || bytes[start] == 'I') && number(2, 2) == 42;
    long directory = begins ? number(4, 4) : 0;
    boolean present = directory >= HEADER_BYTES && directory <= length - 2;
    entries = present ? (int) directory + 2 : 0;
    count = present ? (int) Math.min(number(directory, 2), (length - entries) / ENTRY_BYTES) : 0;
  }

  /** How the image is turned: 1 to 8, as EXIF numbers it; 1 where nothing says so. */
  int orientation() {
    long value = first(ORIENTATION, 1);
    return value >= 1 && value <= LAST_ORIENTATION ? (int) value : 1;
  }

  /** The first number of a tag. */
  long first(int tag, long otherwise) {
    return number(tag, 0, otherwise);
  }

  /**
   * A number of a tag that has several.
   *
   * @param index from 0
   * @param otherwise what it is where there is no such tag or number
   */
  long number(int tag, int index, long otherwise) {
    int entry = entry(tag);
    return entry == 0 ? otherwise : value(entry, index, otherwise);
  }

  /** The largest number of a tag; 0 where there is none. */
  long largest(int tag) {
    int entry = entry(tag);
    long largest = 0;
    for (int index = 0; entry > 0 && index < Math.min(number(entry + 4, 4), length); index++) {
      largest = Math.max(largest, value(entry, index, 0));
    }
    return largest;
  }

  /** Where the tag's entry begins; 0 where there is none. */
  private int entry(int tag) {
    for (int i = 0; i < count; i++) {
      int entry = entries + i * ENTRY_BYTES;
      if (number(entry, 2) == tag) {
        return entry;
      }
    }
    return 0;
  }

  private long value(int entry, int index, long otherwise) {
    int size = switch ((int) number(entry + 2, 2)) {
      case BYTE -> 1;
      case SHORT -> 2;
      case LONG -> 4;
      default -> 0;
    };
    long numbers = number(entry + 4, 4);
    if (size == 0 || index >= numbers) {
      return otherwise;
    }
    // Up to four bytes stand in the entry itself.
    long place = (numbers * size > 4 ? number(entry + 8, 4) : entry + 8) + (long) index * size;
    return place > length - size ? otherwise : number(place, size);
  }

  /** An unsigned number at a place that is there. */
  private long number(long at, int size) {
    long value = 0;
    for (int i = 0; i < size; i++) {
      int place = (int) at + (bigEndian ? i : size - 1 - i);
      value = value << 8 | bytes[start + place] & 0xff;
    }
    return value;
  }
}
