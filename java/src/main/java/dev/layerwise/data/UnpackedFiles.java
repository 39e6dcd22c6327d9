package dev.layerwise.data;

import dev.layerwise.files.AtomicFiles;
import dev.layerwise.files.FileException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Optional;

/**
 * Plain copies of files packed with xz, which take longer to unpack than anything else about a data set, on one core. A copy
 * belongs to a file of that path, size, time and end; when the file changes, another copy takes its place.
 */
final class UnpackedFiles {
  /** Smaller files are unpacked in less than a second each time. */
  private static final long SMALLEST_PACKED = 4L << 20;
  private static final int END_BYTES = 1 << 16; // xz keeps the sizes of its blocks there
  private static final int DIGITS = 16;

  private final Path folder;

  /** @param folder for the copies; need not exist */
  UnpackedFiles(Path folder) {
    this.folder = folder;
  }

  Path folder() {
    return folder;
  }

  /** Whether copies are kept of such files. */
  static boolean concerns(Path source) {
    try {
      return source.toString().endsWith(".xz") && Files.isRegularFile(source) && Files.size(source) >= SMALLEST_PACKED;
    } catch (IOException e) {
      return false; // whoever opens it says so
    }
  }

  /** The copy of a file as it is now, if there is one. */
  Optional<Path> find(Path source) {
    try {
      return concerns(source) ? Optional.of(copyOf(source)).filter(Files::isRegularFile) : Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /**
   * Makes a copy; removes that of the file as it was.
   *
   * @param source as it is on disk
   * @param unpacked its content
   * @param most bytes that it may have; of a longer one no copy is made
   * @return the copy
   * @throws FileException if it cannot be written, or would be too long
   * @throws IOException if its folder cannot be made
   * @throws UncheckedIOException if the content cannot be read
   */
  Path make(Path source, InputStream unpacked, long most) throws IOException {
    Path copy = copyOf(source);
    Files.createDirectories(folder);
    AtomicFiles.write(copy, out -> transfer(unpacked, out, most));
    removeOlder(copy);
    return copy;
  }

  private static void transfer(InputStream in, OutputStream out, long most) throws IOException {
    byte[] chunk = new byte[END_BYTES];
    long moved = 0;
    for (int count = read(in, chunk); count > 0; count = read(in, chunk)) {
      moved += count;
      if (moved > most) {
        throw new IOException("it holds more than " + most + " bytes");
      }
      out.write(chunk, 0, count);
    }
  }

  /** Tells what is wrong with the source from what is wrong with the copy. */
  private static int read(InputStream in, byte[] chunk) {
    try {
      return in.read(chunk);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The name begins with what stands for the path. */
  private Path copyOf(Path source) throws IOException {
    Path real = source.toRealPath();
    byte[] state = ByteBuffer.allocate(2 * Long.BYTES)
        .putLong(Files.size(real))
        .putLong(Files.getLastModifiedTime(real).toMillis())
        .array();
    return folder.resolve(digest(real.toString().getBytes(StandardCharsets.UTF_8)) + "-" + digest(state, end(real)));
  }

  private static byte[] end(Path file) throws IOException {
    try (RandomAccessFile in = new RandomAccessFile(file.toFile(), "r")) {
      byte[] end = new byte[(int) Math.min(in.length(), END_BYTES)];
      in.seek(in.length() - end.length);
      in.readFully(end);
      return end;
    }
  }

  private static String digest(byte[]... parts) {
    try {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      for (byte[] part : parts) {
        sha.update(part);
      }
      return HexFormat.of().formatHex(sha.digest()).substring(0, DIGITS);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e); // every Java has it
    }
  }

  private void removeOlder(Path copy) throws IOException {
    String samePath = copy.getFileName().toString().substring(0, DIGITS);
    try (DirectoryStream<Path> copies = Files.newDirectoryStream(folder, samePath + "-*")) {
      for (Path other : copies) {
        if (!other.equals(copy)) {
          Files.deleteIfExists(other);
        }
      }
    }
  }
}
