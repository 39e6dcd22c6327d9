package dev.layerwise.model;

import dev.layerwise.nativelib.NativeBlock;
import dev.layerwise.nativelib.TensorInfo;
import dev.layerwise.nativelib.generated.LayerwiseApi.TensorRole;
import dev.layerwise.safetensors.HostTensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Weights and optimizer state in a stage's blocks, read and written under the names of files. */
record NetworkTensors(BlockChain chain) {
  static final Set<TensorRole> WEIGHTS = Set.of(TensorRole.LAYERWISE_PARAMETER, TensorRole.LAYERWISE_BUFFER);
  static final Set<TensorRole> OPTIMIZER_STATE = Set.of(TensorRole.LAYERWISE_OPTIMIZER_STATE);

  /** Those with one of the roles, named {@code <block>.<tensor>}. */
  Map<String, HostTensor> read(Set<TensorRole> roles) {
    Map<String, HostTensor> tensors = new LinkedHashMap<>();
    for (int i = chain.stage().begin(); i < chain.stage().end(); i++) {
      for (TensorInfo info : chain.block(i).tensors()) {
        if (roles.contains(info.role())) {
          tensors.put(
              chain.layers().get(i).name() + "." + info.name(),
              HostTensor.of(info.shape(), chain.block(i).read(info.name())));
        }
      }
    }
    return tensors;
  }

  /**
   * Sets those with one of the roles.
   *
   * @throws ModelException if one is missing or has another shape; nothing has been changed then
   */
  void write(Map<String, HostTensor> values, Set<TensorRole> roles) {
    List<Runnable> writes = new ArrayList<>();
    for (int i = chain.stage().begin(); i < chain.stage().end(); i++) {
      NativeBlock block = chain.block(i);
      for (TensorInfo info : block.tensors()) {
        if (!roles.contains(info.role())) {
          continue;
        }
        String name = chain.layers().get(i).name() + "." + info.name();
        HostTensor value = values.get(name);
        if (value == null) {
          throw new ModelException("the weights hold no tensor '" + name + "', which the network needs");
        }
        if (!Arrays.equals(value.shape(), info.shape())) {
          throw new ModelException(
              String.format(
                  Locale.ROOT, "the weights' tensor '%s' has shape %s, but the network needs %s",
                  name, Arrays.toString(value.shape()), Arrays.toString(info.shape())));
        }
        writes.add(() -> block.write(info.name(), value.toFloats()));
      }
    }
    writes.forEach(Runnable::run);
  }
}
