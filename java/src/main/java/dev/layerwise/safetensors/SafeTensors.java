package dev.layerwise.safetensors;

import dev.layerwise.files.AtomicFiles;
import dev.layerwise.files.FileErrors;
import dev.layerwise.files.FileException;
import dev.layerwise.safetensors.SafeTensorsHeader.Entry;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.SeekableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The content of a safetensors file, which PyTorch and others open too: an 8-byte little-endian header length, a JSON
 * header, the tensors' little-endian elements. A file is never trusted: whatever is in it, reading gives the tensors or
 * a {@link FileException}, and takes no more memory than the file is long, a small factor aside.
 *
 * @param metadata the header's {@code __metadata__}; unmodifiable
 * @param tensors by name, in the order of the header; unmodifiable
 */
public record SafeTensors(Map<String, String> metadata, Map<String, HostTensor> tensors) {
  /** The limit of the format's reference implementation. */
  static final int HEADER_LIMIT_BYTES = 100_000_000;
  /** The header is padded with spaces so that the elements behind it are aligned for every type. */
  private static final int ALIGNMENT = 8;

  /** Copies the maps, keeping their order. */
  public SafeTensors {
    metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
    tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
  }

  /** What is read from an open file behind its checked header. */
  @FunctionalInterface
  private interface Reading<T> {
    T read(SafeTensorsHeader header, SeekableByteChannel channel) throws IOException;
  }

  /**
   * Reads a file's metadata alone. The header is checked as {@link #read} checks it: the tensors that it lists fill the
   * file.
   *
   * @throws FileException if it cannot be read, is not a safetensors file, or is damaged
   */
  public static Map<String, String> readMetadata(Path path) {
    return read(path, (header, channel) -> Collections.unmodifiableMap(header.metadata()));
  }

  /**
   * Reads a whole file.
   *
   * @throws FileException if it cannot be read, is not a safetensors file, or is damaged
   */
  public static SafeTensors read(Path path) {
    return read(path, (header, channel) -> {
      Map<String, HostTensor> tensors = new LinkedHashMap<>();
      long dataStart = channel.position();
      for (Entry entry : header.entries()) {
        channel.position(dataStart + entry.begin());
        byte[] data = readFully(path, channel, (int) (entry.end() - entry.begin()));
        tensors.put(entry.name(), HostTensor.wrap(entry.type(), entry.shape(), data));
      }
      return new SafeTensors(header.metadata(), tensors);
    });
  }

  private static <T> T read(Path path, Reading<T> reading) {
    if (Files.isDirectory(path)) {
      throw new FileException(path + " is a folder where a safetensors file is expected.");
    }
    try (SeekableByteChannel channel = Files.newByteChannel(path)) {
      return reading.read(readHeader(path, channel), channel);
    } catch (IOException e) {
      throw new FileException("Cannot read " + path + ": " + FileErrors.reason(e) + ".", e);
    }
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
    byte[] prefix = readFully(path, channel, Long.BYTES);
    long length = ByteBuffer.wrap(prefix).order(ByteOrder.LITTLE_ENDIAN).getLong();
    if (length < 2 || length > HEADER_LIMIT_BYTES) {
      throw new FileException(path + " is not a safetensors file: it does not begin with the length of a header,"
          + " 2 to " + HEADER_LIMIT_BYTES + ".");
    }
    long dataBytes = channel.size() - Long.BYTES - length;
    if (dataBytes < 0) {
      throw new FileException(path + " is cut off or not a safetensors file: its header should have " + length
          + " bytes, but the file has only " + channel.size() + ".");
    }
    return SafeTensorsHeader.parse(path, readFully(path, channel, (int) length), dataBytes);
  }

  private static byte[] readFully(Path path, SeekableByteChannel channel, int count) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(count);
    while (buffer.hasRemaining()) {
      if (channel.read(buffer) < 0) {
        throw new FileException(path + " became shorter while it was read; try again.");
      }
    }
    return buffer.array();
  }

  /**
   * Writes these tensors so that the file at {@code path} is at every moment the old one or the new one, whole.
   *
   * @throws FileException if the file cannot be written, or a name is not valid Unicode; names path and cause
   */
  public void write(Path path) {
    List<Entry> entries = layOut();
    byte[] header = SafeTensorsHeader.format(path, metadata, entries);
    int padded = (header.length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (padded > HEADER_LIMIT_BYTES) {
      throw new FileException(path + " would need a header of " + padded + " bytes, where a safetensors file may "
          + "have " + HEADER_LIMIT_BYTES + ".");
    }
    AtomicFiles.write(path, out -> {
      ByteBuffer prefix = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(padded);
      out.write(prefix.array());
      out.write(header);
      out.write(" ".repeat(padded - header.length).getBytes(StandardCharsets.US_ASCII));
      writeData(out, entries);
    });
  }

  /** Places the tensors, those of wide elements first, so that each is aligned for its type without gaps. */
  private List<Entry> layOut() {
    List<Map.Entry<String, HostTensor>> placed = new ArrayList<>(tensors.entrySet());
    placed.sort(Comparator.comparing(tensor -> -tensor.getValue().type().bytes()));
    Map<String, Long> begins = new LinkedHashMap<>();
    long position = 0;
    for (Map.Entry<String, HostTensor> tensor : placed) {
      begins.put(tensor.getKey(), position);
      position += tensor.getValue().byteCount();
    }
    List<Entry> entries = new ArrayList<>();
    tensors.forEach((name, tensor) -> entries.add(new Entry(name, tensor.type(), tensor.shape(), begins.get(name),
        begins.get(name) + tensor.byteCount())));
    return entries;
  }

  private void writeData(OutputStream out, List<Entry> entries) throws IOException {
    WritableByteChannel channel = Channels.newChannel(out);
    for (Entry entry : SafeTensorsHeader.inFileOrder(entries)) {
      ByteBuffer data = tensors.get(entry.name()).data();
      while (data.hasRemaining()) {
        channel.write(data);
      }
    }
  }
}
