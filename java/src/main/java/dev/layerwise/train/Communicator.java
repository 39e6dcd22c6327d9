package dev.layerwise.train;

import dev.layerwise.model.StageCuts;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.NativeCommunicator;
import dev.layerwise.run.RunConfig;
import dev.layerwise.safetensors.TensorSource;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** The processes that train one run together. Every process makes the same calls in the same order. */
public interface Communicator {
  /** Whether this process is the one that writes the run's files and tells of its progress. */
  boolean isFirst();

  /** The part of every batch that is this process's. */
  BatchSlice slice();

  /** Whether this is so for any of the processes: what only one of them sees, a signal or a clock, all must act on. */
  boolean any(boolean here);

  /**
   * The same between the steps of a run, where what the first stage of a pipeline sees is told to the others: a process
   * that waited for all would keep the next stage waiting.
   */
  boolean decide(boolean here);

  /** How layers are divided among the processes; {@code null} if they are not. */
  StageCuts stageCuts();

  /** The layers of this process, and who it receives from and sends to. */
  PipelineStage stage();

  /**
   * The tensors of all stages.
   *
   * @param here gives those of this process's stage, if they are needed
   * @return in the first process all, in the order of stages; in the others {@code null}
   */
  Map<String, TensorSource> collect(Supplier<Map<String, TensorSource>> here);

  /** The same processes without a pipeline: each has the whole network, and a part of all images. */
  Communicator withoutStages();

  /** As {@link #requireEqual(String, String)} for processes that have the same layers. */
  void requireEqualInStage(String what, String value);

  /** Each block's metrics over the samples of all processes. */
  List<BlockMetrics> sum(List<BlockMetrics> here);

  /**
   * A value of each process, in the order of ranks.
   *
   * @param here what JSON can hold; may be {@code null}
   */
  <T> List<T> gather(T here, Class<T> type);

  /** Overwrites the values with those of a process. */
  void broadcast(float[] values, int rank);

  /**
   * Throws {@link dev.layerwise.LayerwiseException} in all processes if one of them has another value.
   *
   * @param what names the value in the message, which names the process: "the version"
   */
  void requireEqual(String what, String value);

  /** The same for the settings of a run; the message says which of them differ. */
  void requireEqual(RunConfig config);

  /** What devices communicate by; {@code null} for a process that is alone. */
  NativeCommunicator ofDevices();
}
