package dev.layerwise.model;

import dev.layerwise.nativelib.HostMemory;
import dev.layerwise.safetensors.ElementType;
import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.safetensors.TensorSource;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Weights as they were at one moment, in native memory; those of a later moment may take their place. */
public final class WeightCopy implements AutoCloseable {
  private final Map<String, TensorSource> copies = new LinkedHashMap<>();
  private final List<HostMemory> memory = new ArrayList<>();

  /** Copies what these tensors hold now; the first call decides which there are. */
  public void take(Map<String, ? extends TensorSource> weights) {
    if (copies.isEmpty()) {
      weights.forEach((name, tensor) -> copies.put(name, copyOf(tensor)));
    } else {
      copies.forEach((name, copy) -> weights.get(name).read(((Copy) copy).data()::put));
    }
  }

  private Copy copyOf(TensorSource tensor) {
    HostMemory room = new HostMemory(HostTensor.requireSize(tensor.byteCount()));
    memory.add(room);
    Copy copy = new Copy(tensor.type(), tensor.shape(), room.buffer());
    tensor.read(copy.data()::put);
    return copy;
  }

  /** The copies; empty before the first {@link #take}. */
  public Map<String, TensorSource> weights() {
    return copies;
  }

  /** Gives the memory back; the copies can be read no longer. */
  @Override
  public void close() {
    copies.clear();
    memory.forEach(HostMemory::close);
    memory.clear();
  }

  private record Copy(ElementType type, long[] shape, ByteBuffer memory) implements TensorSource {
    ByteBuffer data() {
      return memory.duplicate();
    }

    @Override
    public long byteCount() {
      return memory.capacity();
    }

    @Override
    public void read(Consumer<ByteBuffer> reader) {
      reader.accept(memory.asReadOnlyBuffer().order(memory.order()));
    }
  }
}
