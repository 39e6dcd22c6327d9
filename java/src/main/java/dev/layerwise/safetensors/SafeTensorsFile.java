package dev.layerwise.safetensors;

import dev.layerwise.files.FileErrors;
import dev.layerwise.files.FileException;
import dev.layerwise.safetensors.SafeTensorsHeader.Entry;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;

/**
 * An open safetensors file, whose header has been checked. Tensors are read when they are asked for, into memory that the next
 * one uses again. It belongs to one thread.
 */
public final class SafeTensorsFile implements AutoCloseable {
  private final Path path;
  private final SeekableByteChannel channel;
  private final SafeTensorsHeader header;
  private final long dataStart;
  private final Map<String, TensorSource> tensors = new LinkedHashMap<>();
  private final TensorMemory memory = new TensorMemory();

  private SafeTensorsFile(Path path, SeekableByteChannel channel) throws IOException {
    this.path = path;
    this.channel = channel;
    header = readHeader(path, channel);
    dataStart = channel.position();
    header.entries().forEach(entry -> tensors.put(entry.name(), new Stored(entry)));
  }

  /**
   * Opens a file.
   *
   * @throws FileException if it cannot be read, is not a safetensors file, or is damaged
   */
  public static SafeTensorsFile open(Path path) {
    if (Files.isDirectory(path)) {
      throw new FileException(path + " is a folder where a safetensors file is expected.");
    }
    SeekableByteChannel channel = null;
    try {
      channel = Files.newByteChannel(path);
      return new SafeTensorsFile(path, channel);
    } catch (IOException e) {
      closeQuietly(channel);
      throw cannotRead(path, e);
    } catch (RuntimeException e) {
      closeQuietly(channel);
      throw e;
    }
  }

  private static void closeQuietly(SeekableByteChannel channel) {
    if (channel != null) {
      try {
        channel.close();
      } catch (IOException e) { // nothing was written, and why the file was given up is said already
        return;
      }
    }
  }

  private static FileException cannotRead(Path path, IOException e) {
    return new FileException("Cannot read " + path + ": " + FileErrors.reason(e) + ".", e);
  }

  /** Reads and checks the header; leaves the channel where the tensors begin. */
  private static SafeTensorsHeader readHeader(Path path, SeekableByteChannel channel) throws IOException {
    ForeignFile other = ForeignFile.recognize(path);
    if (other != null) {
      throw other.notSafeTensors(path);
    }
    if (channel.size() < Long.BYTES) {
      throw new FileException(path + " is not a safetensors file: it has only " + channel.size() + " bytes.");
    }
    byte[] prefix = readFully(path, channel, ByteBuffer.allocate(Long.BYTES)).array();
    long length = ByteBuffer.wrap(prefix).order(ByteOrder.LITTLE_ENDIAN).getLong();
    if (length < 2 || length > SafeTensors.HEADER_LIMIT_BYTES) {
      throw new FileException(path + " is not a safetensors file: it does not begin with the length of a header,"
          + " 2 to " + SafeTensors.HEADER_LIMIT_BYTES + ".");
    }
    long dataBytes = channel.size() - Long.BYTES - length;
    if (dataBytes < 0) {
      throw new FileException(path + " is cut off or not a safetensors file: its header should have " + length
          + " bytes, but the file has only " + channel.size() + ".");
    }
    byte[] json = readFully(path, channel, ByteBuffer.allocate((int) length)).array();
    return SafeTensorsHeader.parse(path, json, dataBytes);
  }

  private static ByteBuffer readFully(Path path, SeekableByteChannel channel, ByteBuffer into) throws IOException {
    while (into.hasRemaining()) {
      if (channel.read(into) < 0) {
        throw new FileException(path + " became shorter while it was read; try again.");
      }
    }
    return into.flip();
  }

  /** The header's {@code __metadata__}; unmodifiable. */
  public Map<String, String> metadata() {
    return Collections.unmodifiableMap(header.metadata());
  }

  /** By name, in the order of the header, and readable until this is closed; unmodifiable. */
  public Map<String, TensorSource> tensors() {
    return Collections.unmodifiableMap(tensors);
  }

  /** A tensor in the file. */
  private final class Stored implements TensorSource {
    private final Entry entry;

    Stored(Entry entry) {
      this.entry = entry;
    }

    @Override
    public ElementType type() {
      return entry.type();
    }

    @Override
    public long[] shape() {
      return entry.shape().clone();
    }

    @Override
    public long byteCount() {
      return entry.end() - entry.begin();
    }

    @Override
    public void read(Consumer<ByteBuffer> reader) {
      ByteBuffer data = memory.of(this, tensors.values()::stream);
      try {
        channel.position(dataStart + entry.begin());
        readFully(path, channel, data);
      } catch (IOException e) {
        throw cannotRead(path, e);
      }
      reader.accept(data);
    }
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw cannotRead(path, e);
    }
  }
}
