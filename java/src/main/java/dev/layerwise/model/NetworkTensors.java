package dev.layerwise.model;

import dev.layerwise.nativelib.NativeBlock;
import dev.layerwise.nativelib.TensorInfo;
import dev.layerwise.nativelib.generated.LayerwiseApi.TensorRole;
import dev.layerwise.safetensors.ElementType;
import dev.layerwise.safetensors.TensorMemory;
import dev.layerwise.safetensors.TensorSource;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Weights and optimizer state in a stage's blocks, read and written under the names of files. What is read is not copied: it
 * is what the blocks hold when somebody looks at it.
 */
final class NetworkTensors {
  static final Set<TensorRole> WEIGHTS = Set.of(TensorRole.LAYERWISE_PARAMETER, TensorRole.LAYERWISE_BUFFER);
  static final Set<TensorRole> OPTIMIZER_STATE = Set.of(TensorRole.LAYERWISE_OPTIMIZER_STATE);

  private static final Set<TensorRole> EVERYTHING = Set.of(TensorRole.values());

  private final BlockChain chain;
  private final TensorMemory memory = new TensorMemory();

  NetworkTensors(BlockChain chain) {
    this.chain = chain;
  }

  /** Those with one of the roles, named {@code <block>.<tensor>}. */
  Map<String, TensorSource> read(Set<TensorRole> roles) {
    Map<String, TensorSource> tensors = new LinkedHashMap<>();
    for (int i = chain.stage().begin(); i < chain.stage().end(); i++) {
      for (TensorInfo info : chain.block(i).tensors()) {
        if (roles.contains(info.role())) {
          tensors.put(chain.layers().get(i).name() + "." + info.name(), new InBlock(chain.block(i), info));
        }
      }
    }
    return tensors;
  }

  /** A tensor in a block. */
  private final class InBlock implements TensorSource {
    private final NativeBlock block;
    private final TensorInfo info;

    InBlock(NativeBlock block, TensorInfo info) {
      this.block = block;
      this.info = info;
    }

    @Override
    public ElementType type() {
      return ElementType.F32;
    }

    @Override
    public long[] shape() {
      return info.shape();
    }

    @Override
    public long byteCount() {
      return Float.BYTES * Arrays.stream(info.shape()).reduce(1, Math::multiplyExact);
    }

    @Override
    public void read(Consumer<ByteBuffer> reader) {
      ByteBuffer data = memory.of(this, () -> NetworkTensors.this.read(EVERYTHING).values().stream());
      block.read(info.name(), data);
      reader.accept(data);
    }
  }

  /**
   * Sets those with one of the roles.
   *
   * @throws ModelException if one is missing or has another shape; nothing has been changed then
   */
  void write(Map<String, ? extends TensorSource> values, Set<TensorRole> roles) {
    List<Runnable> writes = new ArrayList<>();
    for (int i = chain.stage().begin(); i < chain.stage().end(); i++) {
      NativeBlock block = chain.block(i);
      for (TensorInfo info : block.tensors()) {
        if (!roles.contains(info.role())) {
          continue;
        }
        String name = chain.layers().get(i).name() + "." + info.name();
        TensorSource value = values.get(name);
        if (value == null) {
          throw new ModelException("the weights hold no tensor '" + name + "', which the network needs");
        }
        if (!Arrays.equals(value.shape(), info.shape())) {
          throw new ModelException(
              String.format(
                  Locale.ROOT, "the weights' tensor '%s' has shape %s, but the network needs %s",
                  name, Arrays.toString(value.shape()), Arrays.toString(info.shape())));
        }
        if (value.type() != ElementType.F32) {
          throw new ModelException(
              "the weights' tensor '" + name + "' is of type " + value.type() + ", but the network needs F32");
        }
        writes.add(() -> value.read(data -> block.write(info.name(), data)));
      }
    }
    writes.forEach(Runnable::run);
  }
}
