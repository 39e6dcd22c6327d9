package dev.layerwise.safetensors;

import dev.layerwise.files.FileException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * A tensor in host memory: element type, shape, and its elements as little-endian bytes with the last dimension
 * contiguous (PyTorch's order). Rank 0 is a scalar of one element. Immutable: arrays are copied in and out.
 */
public final class HostTensor {
  private final ElementType type;
  private final long[] shape;
  private final ByteBuffer data;

  private HostTensor(ElementType type, long[] shape, ByteBuffer data) {
    this.type = type;
    this.shape = shape;
    this.data = data;
  }

  /** An F32 tensor; throws {@link FileException} if the shape does not hold that many values. */
  public static HostTensor of(long[] shape, float[] values) {
    ByteBuffer data = allocate(ElementType.F32, shape, values.length);
    data.asFloatBuffer().put(values);
    return new HostTensor(ElementType.F32, shape.clone(), data);
  }

  /** An F64 tensor; throws {@link FileException} if the shape does not hold that many values. */
  public static HostTensor of(long[] shape, double[] values) {
    ByteBuffer data = allocate(ElementType.F64, shape, values.length);
    data.asDoubleBuffer().put(values);
    return new HostTensor(ElementType.F64, shape.clone(), data);
  }

  /** An I32 tensor; throws {@link FileException} if the shape does not hold that many values. */
  public static HostTensor of(long[] shape, int[] values) {
    ByteBuffer data = allocate(ElementType.I32, shape, values.length);
    data.asIntBuffer().put(values);
    return new HostTensor(ElementType.I32, shape.clone(), data);
  }

  /** An I64 tensor; throws {@link FileException} if the shape does not hold that many values. */
  public static HostTensor of(long[] shape, long[] values) {
    ByteBuffer data = allocate(ElementType.I64, shape, values.length);
    data.asLongBuffer().put(values);
    return new HostTensor(ElementType.I64, shape.clone(), data);
  }

  /** A U8 tensor; throws {@link FileException} if the shape does not hold that many values. */
  public static HostTensor of(long[] shape, byte[] values) {
    ByteBuffer data = allocate(ElementType.U8, shape, values.length);
    data.duplicate().put(values);
    return new HostTensor(ElementType.U8, shape.clone(), data);
  }

  /** Takes over an array of little-endian elements that nobody else will change and that fits the shape. */
  static HostTensor wrap(ElementType type, long[] shape, byte[] data) {
    return new HostTensor(type, shape, ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN));
  }

  private static ByteBuffer allocate(ElementType type, long[] shape, int count) {
    if (elements(shape) != count) {
      throw new FileException(
          "A tensor of shape " + Arrays.toString(shape) + " does not hold " + count + " values.");
    }
    if ((long) count * type.bytes() > Integer.MAX_VALUE) {
      throw new FileException("A tensor of " + count + " values of type " + type + " is beyond the 2 GiB that "
          + "one tensor may have.");
    }
    return ByteBuffer.allocate(count * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** The product of the dimensions, or -1 if one is negative or the product is beyond 64 bits. */
  static long elements(long[] shape) {
    long count = 1;
    for (long dimension : shape) {
      if (dimension < 0) {
        return -1;
      }
      try {
        count = Math.multiplyExact(count, dimension);
      } catch (ArithmeticException e) {
        return -1;
      }
    }
    return count;
  }

  /** Element type. */
  public ElementType type() {
    return type;
  }

  /** A copy of the dimensions. */
  public long[] shape() {
    return shape.clone();
  }

  /** Size of the data. */
  public int byteCount() {
    return data.capacity();
  }

  /** The little-endian elements, read-only. */
  public ByteBuffer data() {
    return data.asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * This tensor as F32: F16 and BF16 keep their values exactly, F64 is rounded to the nearest float32, which beyond its
   * range is an infinity. Throws {@link FileException} for types that are not {@linkplain ElementType#isReal real}.
   */
  public HostTensor toFloat32() {
    if (type == ElementType.F32) {
      return this;
    }
    if (!type.isReal()) {
      throw new FileException(
          "A tensor of type " + type + " and shape " + Arrays.toString(shape) + " does not hold real numbers.");
    }
    int count = data.capacity() / type.bytes();
    ByteBuffer converted = allocate(ElementType.F32, shape, count);
    for (int i = 0; i < count; i++) {
      converted.putFloat(i * Float.BYTES, real(i));
    }
    return new HostTensor(ElementType.F32, shape.clone(), converted);
  }

  private float real(int index) {
    return switch (type) {
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

  /** The values of an F32 tensor; throws {@link FileException} for any other type. */
  public float[] toFloats() {
    float[] values = new float[count(ElementType.F32)];
    data().asFloatBuffer().get(values);
    return values;
  }

  /** The values of an F64 tensor; throws {@link FileException} for any other type. */
  public double[] toDoubles() {
    double[] values = new double[count(ElementType.F64)];
    data().asDoubleBuffer().get(values);
    return values;
  }

  /** The values of an I32 tensor; throws {@link FileException} for any other type. */
  public int[] toInts() {
    int[] values = new int[count(ElementType.I32)];
    data().asIntBuffer().get(values);
    return values;
  }

  /** The values of an I64 tensor; throws {@link FileException} for any other type. */
  public long[] toLongs() {
    long[] values = new long[count(ElementType.I64)];
    data().asLongBuffer().get(values);
    return values;
  }

  /** The values of a U8 tensor; throws {@link FileException} for any other type. */
  public byte[] toBytes() {
    byte[] values = new byte[count(ElementType.U8)];
    data().get(values);
    return values;
  }

  private int count(ElementType wanted) {
    if (type != wanted) {
      throw new FileException("A tensor of type " + type + " and shape " + Arrays.toString(shape)
          + " is not of type " + wanted + ".");
    }
    return data.capacity() / type.bytes();
  }
}
