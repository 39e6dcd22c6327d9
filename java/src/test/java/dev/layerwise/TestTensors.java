package dev.layerwise;

import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.safetensors.SafeTensors;
import dev.layerwise.safetensors.TensorSource;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Tensors as they are at one moment, in a network or a finished run. */
public final class TestTensors {
  private TestTensors() {}

  /** Of the model in a run's folder. */
  public static Map<String, HostTensor> ofModel(Path run) {
    return SafeTensors.read(run.resolve("model.safetensors")).tensors();
  }

  /** Copies of all, in their order. */
  public static Map<String, HostTensor> copy(Map<String, ? extends TensorSource> tensors) {
    Map<String, HostTensor> copies = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> copies.put(name, HostTensor.copyOf(tensor)));
    return copies;
  }
}
