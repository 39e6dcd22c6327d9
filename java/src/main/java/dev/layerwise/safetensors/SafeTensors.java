package dev.layerwise.safetensors;

import dev.layerwise.files.AtomicFiles;
import dev.layerwise.files.FileException;
import dev.layerwise.safetensors.SafeTensorsHeader.Entry;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
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
  private static final int PIECE_BYTES = 1 << 20;

  /** Copies the maps, keeping their order. */
  public SafeTensors {
    metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
    tensors = Collections.unmodifiableMap(new LinkedHashMap<>(tensors));
  }

  /**
   * Reads a file's metadata alone. The header is checked as {@link #read} checks it: the tensors that it lists fill the
   * file.
   *
   * @throws FileException if it cannot be read, is not a safetensors file, or is damaged
   */
  public static Map<String, String> readMetadata(Path path) {
    try (SafeTensorsFile file = SafeTensorsFile.open(path)) {
      return file.metadata();
    }
  }

  /**
   * Reads a whole file into memory; {@link SafeTensorsFile} reads tensors when they are needed.
   *
   * @throws FileException if it cannot be read, is not a safetensors file, or is damaged
   */
  public static SafeTensors read(Path path) {
    try (SafeTensorsFile file = SafeTensorsFile.open(path)) {
      Map<String, HostTensor> tensors = new LinkedHashMap<>();
      file.tensors().forEach((name, tensor) -> tensors.put(name, HostTensor.copyOf(tensor)));
      return new SafeTensors(file.metadata(), tensors);
    }
  }

  /**
   * Writes these tensors so that the file at {@code path} is at every moment the old one or the new one, whole.
   *
   * @throws FileException if the file cannot be written, or a name is not valid Unicode; names path and cause
   */
  public void write(Path path) {
    write(path, metadata, tensors);
  }

  /**
   * Writes tensors that lie anywhere, one after the other, as {@link #write(Path)} does.
   *
   * @param tensors by name; the header lists them in this order
   * @throws FileException as {@link #write(Path)}
   */
  public static void write(Path path, Map<String, String> metadata, Map<String, ? extends TensorSource> tensors) {
    begin(path, metadata, tensors).finish();
  }

  /**
   * The first half of {@link #write(Path, Map, Map)}: the tensors have been read, and the file may be finished by another
   * thread.
   *
   * @throws FileException as {@link #write(Path)}
   */
  public static AtomicFiles.Unfinished begin(
      Path path, Map<String, String> metadata, Map<String, ? extends TensorSource> tensors) {
    List<Entry> entries = layOut(tensors);
    byte[] header = SafeTensorsHeader.format(path, metadata, entries);
    int padded = (header.length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (padded > HEADER_LIMIT_BYTES) {
      throw new FileException(path + " would need a header of " + padded + " bytes, where a safetensors file may "
          + "have " + HEADER_LIMIT_BYTES + ".");
    }
    ByteBuffer beginning = ByteBuffer.allocate(Long.BYTES + padded).order(ByteOrder.LITTLE_ENDIAN).putLong(padded);
    beginning.put(header).put(" ".repeat(padded - header.length).getBytes(StandardCharsets.US_ASCII)).flip();
    return AtomicFiles.begin(path, channel -> {
      writeAll(channel, beginning);
      writeData(channel, tensors, entries);
    });
  }

  /** Places the tensors, those of wide elements first, so that each is aligned for its type without gaps. */
  private static List<Entry> layOut(Map<String, ? extends TensorSource> tensors) {
    List<Map.Entry<String, ? extends TensorSource>> placed = new ArrayList<>(tensors.entrySet());
    placed.sort(Comparator.comparing(tensor -> -tensor.getValue().type().bytes()));
    Map<String, Long> begins = new LinkedHashMap<>();
    long position = 0;
    for (Map.Entry<String, ? extends TensorSource> tensor : placed) {
      begins.put(tensor.getKey(), position);
      position += tensor.getValue().byteCount();
    }
    List<Entry> entries = new ArrayList<>();
    tensors.forEach((name, tensor) -> entries.add(new Entry(name, tensor.type(), tensor.shape(), begins.get(name),
        begins.get(name) + tensor.byteCount())));
    return entries;
  }

  private static void writeData(
      FileChannel channel, Map<String, ? extends TensorSource> tensors, List<Entry> entries) throws IOException {
    for (Entry entry : SafeTensorsHeader.inFileOrder(entries)) {
      try {
        tensors.get(entry.name()).read(data -> {
          try {
            writeAll(channel, data);
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
      } catch (UncheckedIOException e) {
        throw e.getCause();
      }
    }
  }

  /** In pieces: Java copies what is on its heap, and keeps memory for the largest piece. */
  private static void writeAll(FileChannel channel, ByteBuffer data) throws IOException {
    int end = data.limit();
    while (data.position() < end) {
      data.limit(Math.min(end, data.position() + PIECE_BYTES));
      channel.write(data);
    }
  }
}
