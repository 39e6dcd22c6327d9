package dev.layerwise.cli;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;

/** Damages files as disks, transfers and people do: the same for the same seed. */
final class Mutations {
  private static final String[] NUMBERS = {"0", "-1", "1e308", "2147483648", "999999999", "70000", "3", "NaN", "null", "\"x\"", "[]"};

  private final Random random;

  Mutations(long seed) {
    random = new Random(seed);
  }

  /**
   * A copy with one to four damages.
   *
   * @param textBytes length of the part that holds the file's description; most of the damage is done there
   */
  byte[] of(byte[] whole, int textBytes) {
    byte[] bytes = whole.clone();
    for (int damages = 1 + random.nextInt(4); damages > 0 && bytes.length > 0; damages--) {
      int range = random.nextInt(4) > 0 ? Math.min(textBytes, bytes.length) : bytes.length;
      int at = random.nextInt(range);
      switch (random.nextInt(8)) {
        case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
        case 1 -> bytes[at] = (byte) random.nextInt(256);
        case 2 -> Arrays.fill(bytes, at, Math.min(bytes.length, at + 4), random.nextBoolean() ? (byte) 0 : (byte) -1);
        case 3 -> bytes = Arrays.copyOf(bytes, random.nextInt(bytes.length + 1));
        case 4 -> bytes = replaced(bytes, at, at, random(1 + random.nextInt(9)));
        case 5 -> bytes = replaced(bytes, at, Math.min(bytes.length, at + 1 + random.nextInt(64)), new byte[0]);
        case 6 -> bytes = replaced(bytes, at, at, Arrays.copyOfRange(bytes, at, Math.min(bytes.length, at + 32)));
        default -> bytes = anotherNumber(bytes, at);
      }
    }
    return bytes;
  }

  /** A copy of a text with one or two of the numbers in its first part changed. */
  byte[] ofNumbers(byte[] text, int firstPart) {
    byte[] bytes = anotherNumber(text, random.nextInt(firstPart));
    return random.nextBoolean() ? bytes : anotherNumber(bytes, random.nextInt(firstPart));
  }

  /** The next number in the text becomes another. */
  private byte[] anotherNumber(byte[] bytes, int from) {
    int begin = from;
    while (begin < bytes.length && !isDigit(bytes[begin])) {
      begin++;
    }
    int end = begin;
    while (end < bytes.length && isDigit(bytes[end])) {
      end++;
    }
    return replaced(bytes, begin, end, NUMBERS[random.nextInt(NUMBERS.length)].getBytes(StandardCharsets.US_ASCII));
  }

  private static boolean isDigit(byte value) {
    return value >= '0' && value <= '9';
  }

  private byte[] random(int count) {
    byte[] bytes = new byte[count];
    random.nextBytes(bytes);
    return bytes;
  }

  private static byte[] replaced(byte[] bytes, int begin, int end, byte[] by) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(bytes, 0, begin);
    out.writeBytes(by);
    out.write(bytes, end, bytes.length - end);
    return out.toByteArray();
  }
}
