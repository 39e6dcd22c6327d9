package dev.layerwise.nativelib;

import dev.layerwise.nativelib.generated.LayerwiseApi.TensorRole;
import java.util.Arrays;
import java.util.Objects;

/**
 * One of the tensors that a block holds.
 *
 * @param name within the block: "encoder.weight"
 * @param shape up to four dimensions, outermost first; empty for a single number
 */
public record TensorInfo(String name, TensorRole role, long[] shape) {

  /** Copies the shape. */
  public TensorInfo {
    shape = shape.clone();
  }

  /** A copy of the dimensions. */
  @Override
  public long[] shape() {
    return shape.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof TensorInfo that
        && name.equals(that.name)
        && role == that.role
        && Arrays.equals(shape, that.shape);
  }

  @Override
  public int hashCode() {
    return Objects.hash(name, role, Arrays.hashCode(shape));
  }

  @Override
  public String toString() {
    return name + " " + Arrays.toString(shape) + " (" + role + ")";
  }
}
