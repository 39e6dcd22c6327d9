package dev.layerwise.safetensors;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Tensors of types that the program reads but never writes. */
public final class Narrowed {
  private Narrowed() {}

  /** A tensor of two-byte elements with these bits. */
  public static HostTensor of(ElementType type, long[] shape, short... bits) {
    ByteBuffer bytes = ByteBuffer.allocate(2 * bits.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asShortBuffer().put(bits);
    return HostTensor.wrap(type, shape, bytes.array());
  }

  /** An F32 tensor as F16 or BF16, rounded towards zero; for magnitudes below 65536. */
  public static HostTensor from(HostTensor tensor, ElementType type) {
    float[] values = tensor.toFloats();
    short[] bits = new short[values.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = type == ElementType.BF16 ? (short) (Float.floatToIntBits(values[i]) >>> 16) : half(values[i]);
    }
    return of(type, tensor.shape(), bits);
  }

  private static short half(float value) {
    float magnitude = Math.abs(value);
    int sign = Float.floatToIntBits(value) >>> 16 & 0x8000;
    if (magnitude < 0x1p-14f) {
      return (short) (sign | (int) (magnitude * 0x1p24f));
    }
    return (short) (sign | (Float.floatToIntBits(magnitude) >>> 13) - (112 << 10));
  }
}
