package dev.layerwise.nativelib;

import static dev.layerwise.nativelib.NativeLibrary.check;

import dev.layerwise.nativelib.generated.LayerwiseApi;
import dev.layerwise.nativelib.generated.TensorPointer;
import java.util.Arrays;

/** Activations, a gradient or labels on a device. */
public final class NativeTensor extends NativeHandle<TensorPointer> {

  NativeTensor(NativeContext context, TensorPointer pointer) {
    super(context, pointer);
  }

  /** N, C, H, W. */
  public long[] shape() {
    synchronized (lock()) {
      long[] shape = new long[4];
      check(LayerwiseApi.layerwise_tensor_shape(pointer(), shape));
      return shape;
    }
  }

  /** Copies all elements to the host, in (N, C, H, W) order. */
  public float[] read() {
    synchronized (lock()) {
      float[] values = HostArrays.ofShape(shape(), description());
      check(LayerwiseApi.layerwise_tensor_read(pointer(), values, values.length));
      return values;
    }
  }

  /**
   * Adds another tensor of the same shape to this one, on the device: gradients that meet where a shortcut
   * branches off.
   *
   * @throws InvalidArgumentException if the shapes differ
   */
  public void add(NativeTensor addend) {
    synchronized (lock()) {
      check(LayerwiseApi.layerwise_tensor_add(pointer(), argument(addend, context(), "sum of tensors", "addend")));
    }
  }

  @Override
  void free(TensorPointer pointer) {
    LayerwiseApi.layerwise_tensor_close(pointer);
  }

  @Override
  String description() {
    return "the tensor";
  }

  /** Its shape, such as "tensor [128, 64, 32, 32]", or that it is closed. */
  @Override
  public String toString() {
    synchronized (lock()) {
      return isOpen() ? "tensor " + Arrays.toString(shape()) : "closed tensor";
    }
  }
}
