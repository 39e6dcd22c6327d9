package dev.layerwise.train;

import dev.layerwise.nativelib.BlockMetrics;
import java.util.List;

/** A process that trains alone. */
public final class SingleProcess implements Communicator {
  @Override
  public boolean isFirst() {
    return true;
  }

  @Override
  public boolean any(boolean here) {
    return here;
  }

  @Override
  public List<BlockMetrics> sum(List<BlockMetrics> here) {
    return here;
  }
}
