package dev.layerwise.train;

import dev.layerwise.model.StageCuts;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.NativeCommunicator;
import dev.layerwise.run.RunConfig;
import dev.layerwise.safetensors.TensorSource;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** A process that trains alone. */
public final class SingleProcess implements Communicator {
  @Override
  public boolean isFirst() {
    return true;
  }

  @Override
  public BatchSlice slice() {
    return BatchSlice.WHOLE;
  }

  @Override
  public boolean any(boolean here) {
    return here;
  }

  @Override
  public boolean decide(boolean here) {
    return here;
  }

  @Override
  public StageCuts stageCuts() {
    return null;
  }

  @Override
  public PipelineStage stage() {
    return PipelineStage.WHOLE;
  }

  @Override
  public Map<String, TensorSource> collect(Supplier<Map<String, TensorSource>> here) {
    return here.get();
  }

  @Override
  public Communicator withoutStages() {
    return this;
  }

  @Override
  public void requireEqualInStage(String what, String value) {
    // There is no other value.
  }

  @Override
  public List<BlockMetrics> sum(List<BlockMetrics> here) {
    return here;
  }

  @Override
  public <T> List<T> gather(T here, Class<T> type) {
    return Collections.singletonList(here); // List.of takes no null
  }

  @Override
  public void broadcast(float[] values, int rank) {
    // They are this process's.
  }

  @Override
  public void requireEqual(String what, String value) {
    // There is no other value.
  }

  @Override
  public void requireEqual(RunConfig config) {
    // There are no other settings.
  }

  @Override
  public NativeCommunicator ofDevices() {
    return null;
  }
}
