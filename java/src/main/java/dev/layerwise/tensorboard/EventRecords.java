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
    return record(event(time).bytes(3, utf8("brain.Event:2")));
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
                    .bytes(1, utf8(tag))
                    .fixed32(2, Float.floatToIntBits(value.floatValue()))
                    .encoded()));
    return record(event(time).varint(2, step).bytes(5, summary.encoded()));
  }

  /**
   * The settings of a run, for TensorBoard's table of hyperparameters (SessionStartInfo in tensorboard/plugins/hparams/
   * plugin_data.proto). The table shows the scalars of the same folder beside them.
   *
   * @param time of the run's start
   * @param settings by name: numbers, booleans, or text
   */
  public static byte[] hyperparameters(double time, Map<String, Object> settings) {
    Message start = new Message();
    settings.forEach(
        (name, value) -> start.bytes(1, new Message().bytes(1, utf8(name)).bytes(2, value(value).encoded()).encoded()));
    return ofHyperparameters(time, "_hparams_/session_start_info", 3, start.fixed64(5, Double.doubleToLongBits(time)));
  }

  /** Says that the run with those settings is finished. */
  public static byte[] finished(double time) {
    Message end = new Message().varint(1, 1).fixed64(2, Double.doubleToLongBits(time)); // STATUS_SUCCESS
    return ofHyperparameters(time, "_hparams_/session_end_info", 4, end);
  }

  /** A value that holds nothing; what it says is in its metadata, as a field of HParamsPluginData. */
  private static byte[] ofHyperparameters(double time, String tag, int field, Message content) {
    byte[] data = new Message().bytes(field, content.encoded()).encoded();
    Message metadata = new Message().bytes(1, new Message().bytes(1, utf8("hparams")).bytes(2, data).encoded());
    Message noElements = new Message().bytes(2, new byte[0]); // a shape of one dimension, which is 0
    Message tensor = new Message().varint(1, 1).bytes(2, noElements.encoded()); // DT_FLOAT
    Message value =
        new Message().bytes(1, utf8(tag)).bytes(8, tensor.encoded()).bytes(9, metadata.encoded());
    return record(event(time).bytes(5, new Message().bytes(1, value.encoded()).encoded()));
  }

  /** A google.protobuf.Value. */
  private static Message value(Object value) {
    if (value instanceof Number number) {
      return new Message().fixed64(2, Double.doubleToLongBits(number.doubleValue()));
    }
    return value instanceof Boolean truth ? new Message().varint(4, truth ? 1 : 0)
        : new Message().bytes(3, utf8(value.toString()));
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
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
