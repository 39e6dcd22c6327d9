package dev.layerwise.export;

import dev.layerwise.files.AtomicFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Writes arrays as NumPy's .npy files, version 1.0 (numpy.lib.format): magic, version, header length, header, elements
 * in little-endian byte order, the last dimension contiguous.
 */
public final class NpyFile {
  /** Room for magic, version, length and the header, a multiple of 64 as the format asks; shapes of 2 numbers fit. */
  private static final int HEADER_BYTES = 128;
  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};

  private NpyFile() {}

  /** Takes the rows of a matrix, one after the other. */
  @FunctionalInterface
  public interface Rows {
    /** Adds a row; all rows have the same length. */
    void add(float[] row) throws IOException;
  }

  /** Gives the rows of a matrix. */
  @FunctionalInterface
  public interface Content {
    /** Hands over all rows. */
    void writeTo(Rows rows) throws IOException;
  }

  /**
   * Writes a float32 matrix of as many rows as there turn out to be, none of which is kept in memory. The file is there
   * as a whole or not at all.
   *
   * @param columns length of a row
   * @throws dev.layerwise.files.FileException if the file cannot be written
   */
  public static void writeMatrix(Path path, int columns, Content content) {
    AtomicFiles.writeTo(path, channel -> {
      channel.position(HEADER_BYTES);
      ByteBuffer buffer = ByteBuffer.allocate(Math.multiplyExact(columns, Float.BYTES)).order(ByteOrder.LITTLE_ENDIAN);
      long[] count = new long[1];
      content.writeTo(row -> {
        if (row.length != columns) {
          throw new IllegalArgumentException("a row of " + row.length + " where there are " + columns + " columns");
        }
        buffer.clear();
        buffer.asFloatBuffer().put(row);
        writeFully(channel, buffer);
        count[0]++;
      });
      writeHeader(channel, "<f4", count[0] + ", " + columns);
    });
  }

  /**
   * Writes an int32 vector, whole or not at all.
   *
   * @throws dev.layerwise.files.FileException if the file cannot be written
   */
  public static void writeVector(Path path, int[] values) {
    AtomicFiles.writeTo(path, channel -> {
      channel.position(HEADER_BYTES);
      ByteBuffer buffer =
          ByteBuffer.allocate(Math.multiplyExact(values.length, Integer.BYTES)).order(ByteOrder.LITTLE_ENDIAN);
      buffer.asIntBuffer().put(values);
      writeFully(channel, buffer);
      writeHeader(channel, "<i4", values.length + ",");
    });
  }

  private static void writeHeader(FileChannel channel, String type, String shape) throws IOException {
    String text = "{'descr': '" + type + "', 'fortran_order': False, 'shape': (" + shape + "), }";
    int length = HEADER_BYTES - MAGIC.length - Short.BYTES;
    ByteBuffer header = ByteBuffer.allocate(HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    header.put(MAGIC).putShort((short) length);
    header.put((text + " ".repeat(length - 1 - text.length()) + "\n").getBytes(StandardCharsets.US_ASCII)).flip();
    channel.position(0);
    writeFully(channel, header);
  }

  private static void writeFully(FileChannel channel, ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
  }

  /** The name of what lies beside a file: X.npy has X.labels.npy beside it. */
  public static Path beside(Path npy, String ending) {
    String name = npy.getFileName().toString();
    return npy.resolveSibling(name.substring(0, name.length() - ".npy".length()) + ending);
  }
}
