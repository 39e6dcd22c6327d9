package dev.layerwise.safetensors;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Consumer;

/** A tensor of another real type, converted to float32 whenever it is read. */
record Float32View(TensorSource source) implements TensorSource {
  @Override
  public ElementType type() {
    return ElementType.F32;
  }

  @Override
  public long[] shape() {
    return source.shape();
  }

  @Override
  public long byteCount() {
    return source.byteCount() / source.type().bytes() * Float.BYTES;
  }

  @Override
  public void read(Consumer<ByteBuffer> reader) {
    source.read(
        data -> {
          int count = data.remaining() / source.type().bytes();
          ByteBuffer converted = ByteBuffer.allocate(HostTensor.requireSize(byteCount())).order(ByteOrder.LITTLE_ENDIAN);
          for (int i = 0; i < count; i++) {
            converted.putFloat(i * Float.BYTES, value(data, i));
          }
          reader.accept(converted);
        });
  }

  private float value(ByteBuffer data, int index) {
    return switch (source.type()) {
      case F16 -> ofHalf(data.getShort(index * Short.BYTES));
      case BF16 -> Float.intBitsToFloat(data.getShort(index * Short.BYTES) << Short.SIZE);
      default -> (float) data.getDouble(index * Double.BYTES);
    };
  }

  /** The value of an IEEE 754 half; Java 17 has no method for it. */
  private static float ofHalf(short half) {
    int sign = half & 0x8000;
    int exponent = half >> 10 & 0x1f;
    int fraction = half & 0x3ff;
    if (exponent == 0) { // zero or subnormal: multiples of 2⁻²⁴, which float32 has as normal numbers
      float magnitude = fraction * 0x1p-24f;
      return sign == 0 ? magnitude : -magnitude;
    }
    int widened = exponent == 0x1f ? 0xff : exponent - 15 + 127;
    return Float.intBitsToFloat(sign << 16 | widened << 23 | fraction << 13);
  }
}
