package dev.layerwise.safetensors;

import dev.layerwise.files.FileException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.function.Consumer;

/**
 * A tensor in host memory: element type, shape, and its elements as little-endian bytes with the last dimension
 * contiguous (PyTorch's order). Rank 0 is a scalar of one element. Immutable: arrays are copied in and out.
 */
public final class HostTensor implements TensorSource {
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

  /** A copy of what a tensor holds now. */
  public static HostTensor copyOf(TensorSource source) {
    byte[] bytes = new byte[requireSize(source.byteCount())];
    source.read(data -> data.duplicate().get(bytes));
    return wrap(source.type(), source.shape(), bytes);
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
    return ByteBuffer.allocate(requireSize((long) count * type.bytes())).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** The number of bytes; throws {@link FileException} if it is more than one tensor may have. */
  public static int requireSize(long bytes) {
    if (bytes > Integer.MAX_VALUE) {
      throw new FileException("A tensor of " + bytes + " bytes is beyond the 2 GiB that one tensor may have.");
    }
    return (int) bytes;
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

  @Override
  public ElementType type() {
    return type;
  }

  @Override
  public long[] shape() {
    return shape.clone();
  }

  @Override
  public long byteCount() {
    return data.capacity();
  }

  /** The little-endian elements, read-only. */
  public ByteBuffer data() {
    return data.asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public HostTensor inFloat32() {
    return type == ElementType.F32 ? this : copyOf(TensorSource.super.inFloat32());
  }

  @Override
  public void read(Consumer<ByteBuffer> reader) {
    reader.accept(data());
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
