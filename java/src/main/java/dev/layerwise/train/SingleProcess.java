package dev.layerwise.train;

import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.NativeCommunicator;
import dev.layerwise.run.RunConfig;
import java.util.List;

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
  public List<BlockMetrics> sum(List<BlockMetrics> here) {
    return here;
  }

  @Override
  public List<String> gather(String here) {
    return List.of(here);
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
