package dev.layerwise;

import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.safetensors.TensorSource;
import java.util.LinkedHashMap;
import java.util.Map;

/** Tensors as they are at one moment. */
public final class TestTensors {
  private TestTensors() {}

  /** Copies of all, in their order. */
  public static Map<String, HostTensor> copy(Map<String, ? extends TensorSource> tensors) {
    Map<String, HostTensor> copies = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> copies.put(name, HostTensor.copyOf(tensor)));
    return copies;
  }
}
