package dev.layerwise.files;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Names of files as text. Java takes a name's bytes for characters of the locale's encoding, and loses those that are
 * none; here they are UTF-8 in every locale, and each byte that is not is written as {@code \xE9}, so that different
 * names stay different. The path itself keeps the bytes: use it, not its text, to reach the file.
 */
public final class FileNames {
  private static final boolean UTF_8 = "UTF-8".equalsIgnoreCase(System.getProperty("sun.jnu.encoding"));
  private static final char LOST = '\ufffd';

  private FileNames() {}

  /** A path as text. */
  public static String text(Path path) {
    String text = path.toString();
    if (isRight(text)) {
      return text;
    }
    List<String> names = new ArrayList<>();
    path.forEach(name -> names.add(isRight(name.toString()) ? name.toString() : decoded(name)));
    return (path.isAbsolute() ? "/" : "") + String.join("/", names);
  }

  /** Whether a path that came as text has lost what no longer can be found out: bytes that are no characters. */
  public static boolean isLossy(Path path) {
    return path.toString().indexOf(LOST) >= 0 && Files.notExists(path);
  }

  private static boolean isRight(String text) {
    return UTF_8 ? text.indexOf(LOST) < 0 : text.chars().allMatch(character -> character < 0x80);
  }

  /** From the bytes of the name, which its address has. */
  private static String decoded(Path name) {
    String address = name.toUri().getRawPath();
    int end = address.endsWith("/") ? address.length() - 1 : address.length();
    String escaped = address.substring(address.lastIndexOf('/', end - 1) + 1, end);
    ByteBuffer bytes = ByteBuffer.allocate(escaped.length());
    for (int i = 0; i < escaped.length(); i++) {
      char character = escaped.charAt(i);
      if (character == '%') {
        bytes.put((byte) Integer.parseInt(escaped.substring(i + 1, i + 3), 16));
        i += 2;
      } else {
        bytes.put((byte) character);
      }
    }
    return decoded(bytes.flip());
  }

  private static String decoded(ByteBuffer bytes) {
    CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder();
    CharBuffer characters = CharBuffer.allocate(bytes.remaining());
    StringBuilder text = new StringBuilder();
    CoderResult result;
    do {
      result = decoder.decode(bytes, characters, true);
      text.append(characters.flip());
      characters.clear();
      for (int i = 0; result.isError() && i < result.length(); i++) {
        text.append(String.format(Locale.ROOT, "\\x%02X", bytes.get()));
      }
    } while (result.isError());
    return text.toString();
  }
}
