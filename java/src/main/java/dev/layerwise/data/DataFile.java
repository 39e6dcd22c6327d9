package dev.layerwise.data;

import dev.layerwise.files.FileErrors;
import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.LongConsumer;
import java.util.zip.GZIPInputStream;
import org.tukaani.xz.XZInputStream;

/**
 * A file of a data set, read front to back and unpacked on the way: plain, gzip (.gz) or xz (.xz). Memory is taken only
 * for what the file really holds, whatever it claims. Every failure is a {@link DataException} that names the file.
 */
final class DataFile implements Closeable {
  private static final List<String> SUFFIXES = List.of("", ".gz", ".xz");
  /** xz -9 needs 65 MiB to unpack; a file that asks for more is damaged or hostile. */
  private static final int XZ_MEMORY_KIB = 100 * 1024;
  private static final int BUFFER_BYTES = 1 << 16;
  private static final int FIRST_CAPACITY = 1 << 20;
  /** Images are rarely packed tighter: MNIST comes to five times its packed size. */
  private static final int LIKELY_EXPANSION = 20;

  private final String name;
  private final InputStream in;
  /** Size of the content where it is known for certain, which is so for plain files only; otherwise -1. */
  private final long size;
  /** The size where it is known, otherwise a guess. */
  private final long likelySize;
  private long position;

  private DataFile(String name, InputStream in, long size, long likelySize) {
    this.name = name;
    this.in = in;
    this.size = size;
    this.likelySize = likelySize;
  }

  /** The file of that name in a folder, whatever it is packed with. */
  static Optional<Path> find(Path folder, String name) {
    List<Path> present = SUFFIXES.stream().map(suffix -> folder.resolve(name + suffix)).filter(Files::exists).toList();
    return present.stream().filter(Files::isRegularFile).findFirst().or(() -> present.stream().findFirst());
  }

  /** @param counter is told of bytes as they are read from the file, packed as they are */
  static DataFile open(Path path, LongConsumer counter) {
    String name = path.toString();
    if (Files.isDirectory(path)) {
      throw new DataException(name + " is a folder where a file is expected.");
    }
    try {
      long size = Files.size(path);
      if (size == 0) {
        throw empty(name);
      }
      return unpack(name, new CountedStream(Files.newInputStream(path), counter), size);
    } catch (IOException e) {
      throw new DataException("Cannot open " + name + ": " + FileErrors.reason(e) + ".", e);
    }
  }

  /** Tells a counter of all bytes that are read. */
  private static final class CountedStream extends FilterInputStream {
    private final LongConsumer counter;

    CountedStream(InputStream in, LongConsumer counter) {
      super(in);
      this.counter = counter;
    }

    @Override
    public int read() throws IOException {
      int one = in.read();
      counter.accept(one < 0 ? 0 : 1);
      return one;
    }

    @Override
    public int read(byte[] to, int offset, int most) throws IOException {
      int count = in.read(to, offset, most);
      counter.accept(Math.max(0, count));
      return count;
    }
  }

  /** A file that comes with Layerwise. */
  static DataFile resource(String resource) {
    InputStream in = DataFile.class.getResourceAsStream(resource);
    if (in == null) {
      throw new DataException("This copy of Layerwise lacks its file " + resource + "; install it again.");
    }
    return unpack(resource, in, -1);
  }

  /** A member of an archive that is itself being read; closing the member leaves the archive open. */
  static DataFile member(DataFile archive, String member, InputStream in) {
    return new DataFile(archive.name + " (" + member + ")", in, -1, archive.likelySize);
  }

  /** @param size of the file, packed or not; -1 if it is not known */
  private static DataFile unpack(String name, InputStream raw, long size) {
    long unpacked = size < 0 ? FIRST_CAPACITY : LIKELY_EXPANSION * size;
    boolean gzip = name.endsWith(".gz");
    try {
      if (gzip) {
        return new DataFile(name, new GZIPInputStream(raw, BUFFER_BYTES), -1, unpacked);
      }
      if (name.endsWith(".xz")) {
        return new DataFile(name, new XZInputStream(new BufferedInputStream(raw, BUFFER_BYTES), XZ_MEMORY_KIB), -1,
            unpacked);
      }
      return new DataFile(name, new BufferedInputStream(raw, BUFFER_BYTES), size, size < 0 ? unpacked : size);
    } catch (IOException e) {
      closeAfter(e, raw);
      if (e instanceof EOFException) {
        throw cutOff(name, e);
      }
      throw new DataException(name + " is not " + (gzip ? "a gzip" : "an xz") + " file, whatever its name says; "
          + "download it again, or rename it if it is already unpacked.", e);
    }
  }

  private static void closeAfter(IOException failure, InputStream in) {
    try {
      in.close();
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
  }

  /** What messages call this file. */
  String name() {
    return name;
  }

  /** The unpacked content, for a reader of archives; its failures go through {@link #damaged}. */
  InputStream stream() {
    return in;
  }

  /** Memory for as many of {@code most} bytes as it probably holds. */
  PixelMemory memoryFor(int most) {
    return memoryFor(most, 1);
  }

  /** The same for so many files of this size. */
  PixelMemory memoryFor(int most, int files) {
    return new PixelMemory(files * (int) Math.min(most, likelySize));
  }

  /** Fills the buffer; fewer bytes than its length are returned only at the end of the file. */
  int read(byte[] buffer) {
    return read(buffer, 0, buffer.length);
  }

  private int read(byte[] buffer, int offset, int most) {
    try {
      int count = in.readNBytes(buffer, offset, most);
      position += count;
      return count;
    } catch (IOException e) {
      throw damaged(e);
    }
  }

  /**
   * Exactly {@code count} bytes.
   *
   * @param what these bytes are, to follow "before the end of": "its header"
   */
  byte[] read(int count, String what) {
    byte[] bytes = readAtMost(count);
    requireWhole(bytes.length, count, what);
    return bytes;
  }

  /** The same bytes to memory. */
  void read(int count, PixelMemory to, String what) {
    requireWhole(readAtMost(count, to), count, what);
  }

  private void requireWhole(int found, int count, String what) {
    if (found < count) {
      if (position == 0) {
        throw empty(name);
      }
      throw new DataException(name + " is cut off: it ends after " + position + " bytes, before the end of " + what
          + "; copy or download it again.");
    }
  }

  /** Moves the next {@code most} bytes to memory, or all that are left if those are fewer; gives their number. */
  int readAtMost(int most, PixelMemory to) {
    byte[] chunk = new byte[Math.min(most, BUFFER_BYTES)];
    int moved = 0;
    int count = -1;
    while (moved < most && count != 0) {
      count = read(chunk, 0, Math.min(chunk.length, most - moved));
      to.put(chunk, 0, count);
      moved += count;
    }
    return moved;
  }

  /** The next {@code most} bytes, or all that are left if those are fewer. */
  byte[] readAtMost(int most) {
    int capacity = size >= 0 ? (int) Math.min(most, Math.max(0, size - position)) : Math.min(most, FIRST_CAPACITY);
    byte[] bytes = new byte[capacity];
    int length = read(bytes, 0, bytes.length);
    while (length == bytes.length && length < most && size < 0) {
      bytes = Arrays.copyOf(bytes, (int) Math.min(most, 2L * length));
      length += read(bytes, length, bytes.length - length);
    }
    return length == bytes.length ? bytes : Arrays.copyOf(bytes, length);
  }

  /** Whether all is read; for a packed file this includes its checksum. */
  boolean atEnd() {
    return read(new byte[1]) == 0;
  }

  /** What an exception thrown while unpacking means. */
  DataException damaged(IOException e) {
    if (e instanceof EOFException) {
      return cutOff(name, e);
    }
    return new DataException(name + " is damaged (" + FileErrors.reason(e) + "); copy or download it again.", e);
  }

  private static DataException cutOff(String name, IOException e) {
    return new DataException(name + " is cut off: its packed content ends early; copy or download it again.", e);
  }

  private static DataException empty(String name) {
    return new DataException(name + " is empty; copy or download it again.");
  }

  @Override
  public void close() {
    try {
      in.close();
    } catch (IOException e) {
      throw new DataException("Cannot close " + name + ": " + FileErrors.reason(e) + ".", e);
    }
  }
}
