package dev.layerwise.tensorboard;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * Records of an event file. A file is a sequence of TFRecords (tensorflow/core/lib/io/record_writer.h), each holding an
 * Event (tensorflow/core/util/event.proto) in protobuf's encoding. Times are in seconds since 1970.
 */
public final class EventRecords {
  /** Added to a rotated checksum, so that a checksum of data that contains checksums is none of them. */
  private static final int MASK_DELTA = 0xa282ead8;

  // Wire types of protobuf's encoding.
  private static final int VARINT = 0;
  private static final int FIXED_64 = 1;
  private static final int BYTES = 2;
  private static final int FIXED_32 = 5;

  private EventRecords() {}

  /** The record that a file begins with. */
  public static byte[] version(double time) {
    return record(event(time).bytes(3, "brain.Event:2".getBytes(StandardCharsets.UTF_8)));
  }

  /** Says that a process starts to write at a step: what a reader has seen from that step on is void. */
  public static byte[] sessionStart(double time, long step) {
    return record(event(time).varint(2, step).bytes(7, new Message().varint(1, 1).encoded())); // SessionLog.status = START
  }

  /** Values at a step, by tag. */
  public static byte[] scalars(double time, long step, Map<String, Double> values) {
    Message summary = new Message();
    values.forEach(
        (tag, value) ->
            summary.bytes(
                1,
                new Message()
                    .bytes(1, tag.getBytes(StandardCharsets.UTF_8))
                    .fixed32(2, Float.floatToIntBits(value.floatValue()))
                    .encoded()));
    return record(event(time).varint(2, step).bytes(5, summary.encoded()));
  }

  private static Message event(double time) {
    return new Message().fixed64(1, Double.doubleToLongBits(time));
  }

  /** Length, its masked checksum, content, its masked checksum; all numbers little-endian. */
  private static byte[] record(Message event) {
    byte[] content = event.encoded();
    byte[] length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(content.length).array();
    return ByteBuffer.allocate(length.length + content.length + 2 * Integer.BYTES)
        .order(ByteOrder.LITTLE_ENDIAN)
        .put(length)
        .putInt(maskedChecksum(length))
        .put(content)
        .putInt(maskedChecksum(content))
        .array();
  }

  /** CRC-32C, rotated right by 15 bits, plus a constant. */
  static int maskedChecksum(byte[] bytes) {
    CRC32C checksum = new CRC32C();
    checksum.update(bytes);
    return Integer.rotateRight((int) checksum.getValue(), 15) + MASK_DELTA;
  }

  /** A protobuf message that grows field by field. */
  private static final class Message {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    Message varint(int field, long value) {
      key(field, VARINT);
      number(value);
      return this;
    }

    Message fixed64(int field, long value) {
      key(field, FIXED_64);
      out.writeBytes(ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
      return this;
    }

    Message fixed32(int field, int value) {
      key(field, FIXED_32);
      out.writeBytes(ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
      return this;
    }

    Message bytes(int field, byte[] value) {
      key(field, BYTES);
      number(value.length);
      out.writeBytes(value);
      return this;
    }

    byte[] encoded() {
      return out.toByteArray();
    }

    private void key(int field, int wireType) {
      number((long) field << 3 | wireType);
    }

    /** Seven bits a byte, the lowest first; the eighth says that more follow. */
    private void number(long value) {
      long rest = value;
      while ((rest & ~0x7FL) != 0) {
        out.write((int) (rest & 0x7F | 0x80));
        rest >>>= 7;
      }
      out.write((int) rest);
    }
  }
}
