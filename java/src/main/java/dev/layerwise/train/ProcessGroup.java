package dev.layerwise.train;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.Json;
import dev.layerwise.LayerwiseException;
import dev.layerwise.model.StageCuts;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.NativeCommunicator;
import dev.layerwise.run.ResumeRules;
import dev.layerwise.run.RunConfig;
import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.safetensors.TensorSource;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** Several processes that exchange what they must by MPI. */
public final class ProcessGroup implements Communicator {
  private static final int NUMBERS = 5; // of a block's metrics
  private static final ObjectMapper JSON = Json.mapper();

  /** Of a process's tensors, in their order. */
  private record Shapes(@JsonProperty("of") LinkedHashMap<String, long[]> of) {}


  private final NativeCommunicator processes;
  /** Those that have the same layers, each with a slice of every batch. */
  private final NativeCommunicator replicas;
  private final StageCuts cuts;
  private final PipelineStage stage;
  private final BatchSlice slice;

  /** The processes of a communicator, which the caller closes when the training is over. */
  public ProcessGroup(NativeCommunicator processes) {
    this(processes, processes, null, PipelineStage.WHOLE);
  }

  private ProcessGroup(
      NativeCommunicator processes, NativeCommunicator replicas, StageCuts cuts, PipelineStage stage) {
    this.processes = processes;
    this.replicas = replicas;
    this.cuts = cuts;
    this.stage = stage;
    slice = new BatchSlice(replicas.rank(), replicas.size());
  }

  /**
   * The same processes as a pipeline. Those of a stage follow each other: their exchange is the larger one, and launchers put
   * neighbours on one machine.
   *
   * @param cuts whose number of stages divides that of the processes
   */
  public ProcessGroup inStages(StageCuts cuts) {
    int width = processes.size() / cuts.stages();
    int number = processes.rank() / width;
    int before = number == 0 ? PipelineStage.NONE : processes.rank() - width;
    int after = number == cuts.stages() - 1 ? PipelineStage.NONE : processes.rank() + width;
    return new ProcessGroup(
        processes, processes.split(number), cuts, new PipelineStage(cuts.stage(number), processes, before, after));
  }

  @Override
  public boolean isFirst() {
    return processes.rank() == 0;
  }

  @Override
  public StageCuts stageCuts() {
    return cuts;
  }

  @Override
  public PipelineStage stage() {
    return stage;
  }

  @Override
  public Communicator withoutStages() {
    return stage.isWhole() ? this : new ProcessGroup(processes);
  }

  @Override
  public boolean decide(boolean here) {
    return stage.decide(stage.isFirst() && isAny(replicas, here));
  }

  private static boolean isAny(NativeCommunicator of, boolean here) {
    if (of.size() == 1) {
      return here;
    }
    double[] count = {here ? 1 : 0};
    of.sum(count);
    return count[0] > 0;
  }

  @Override
  public Map<String, TensorSource> collect(Supplier<Map<String, TensorSource>> here) {
    if (stage.isWhole()) {
      return isFirst() ? here.get() : null;
    }
    // Of processes with the same layers, the first gives them.
    Map<String, TensorSource> own = slice.rank() == 0 ? here.get() : Map.of();
    LinkedHashMap<String, long[]> shapes = new LinkedHashMap<>();
    own.forEach((name, tensor) -> shapes.put(name, tensor.shape()));
    List<Shapes> all = gather(new Shapes(shapes), Shapes.class);
    if (!isFirst()) {
      own.values().forEach(tensor -> processes.send(HostTensor.copyOf(tensor).toFloats(), 0));
      return null;
    }
    Map<String, TensorSource> collected = new LinkedHashMap<>(own);
    for (int rank = 1; rank < all.size(); rank++) {
      for (Map.Entry<String, long[]> sent : all.get(rank).of().entrySet()) {
        float[] values = new float[(int) Arrays.stream(sent.getValue()).reduce(1, (a, b) -> a * b)];
        processes.receive(values, rank);
        collected.put(sent.getKey(), HostTensor.of(sent.getValue(), values));
      }
    }
    return collected;
  }

  @Override
  public void requireEqualInStage(String what, String value) {
    replicas.checkEqual(what, value);
  }

  @Override
  public BatchSlice slice() {
    return slice;
  }

  @Override
  public boolean any(boolean here) {
    return isAny(processes, here);
  }

  @Override
  public List<BlockMetrics> sum(List<BlockMetrics> here) {
    double[] numbers = new double[NUMBERS * here.size()];
    for (int i = 0; i < here.size(); i++) {
      BlockMetrics of = here.get(i);
      double[] own = {of.similarityLoss(), of.predictionLoss(), of.unsupervisedLoss(), of.errors(), of.samples()};
      System.arraycopy(own, 0, numbers, NUMBERS * i, NUMBERS);
    }
    processes.sum(numbers);
    List<BlockMetrics> sums = new ArrayList<>();
    for (int i = 0; i < numbers.length; i += NUMBERS) {
      sums.add(new BlockMetrics(numbers[i], numbers[i + 1], numbers[i + 2], numbers[i + 3], numbers[i + 4]));
    }
    return sums;
  }

  @Override
  public <T> List<T> gather(T here, Class<T> type) {
    try {
      List<T> all = new ArrayList<>();
      for (String text : processes.gather(JSON.writeValueAsString(here))) {
        all.add(JSON.readValue(text, type));
      }
      return all;
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e); // they are this program's own
    }
  }

  @Override
  public void broadcast(float[] values, int rank) {
    processes.broadcast(values, rank);
  }

  @Override
  public void requireEqual(String what, String value) {
    processes.checkEqual(what, value);
  }

  @Override
  public void requireEqual(RunConfig config) {
    List<RunConfig> all = gather(config, RunConfig.class);
    for (int rank = 1; rank < all.size(); rank++) {
      List<String> differences = ResumeRules.changes(all.get(0), all.get(rank));
      if (!differences.isEmpty()) {
        throw new LayerwiseException(
            "rank " + rank + " has other settings than rank 0: " + String.join(", ", differences)
                + "; start all processes with the same options");
      }
    }
  }

  @Override
  public NativeCommunicator ofDevices() {
    return replicas.size() == 1 ? null : replicas;
  }
}
