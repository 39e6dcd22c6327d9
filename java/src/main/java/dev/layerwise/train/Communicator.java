package dev.layerwise.train;

import dev.layerwise.nativelib.BlockMetrics;
import java.util.List;

/** The processes that train one run together. Every process makes the same calls in the same order. */
public interface Communicator {
  /** Whether this process is the one that writes the run's files and tells of its progress. */
  boolean isFirst();

  /** Whether this is so for any of the processes: what only one of them sees, a signal or a clock, all must act on. */
  boolean any(boolean here);

  /** Each block's metrics over the samples of all processes. */
  List<BlockMetrics> sum(List<BlockMetrics> here);
}
