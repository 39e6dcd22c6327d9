package dev.layerwise.train;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.layerwise.Json;
import dev.layerwise.LayerwiseException;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.NativeCommunicator;
import dev.layerwise.run.ResumeRules;
import dev.layerwise.run.RunConfig;
import java.util.ArrayList;
import java.util.List;

/** Several processes that exchange what they must by MPI. */
public final class ProcessGroup implements Communicator {
  private static final int NUMBERS = 5; // of a block's metrics

  private final NativeCommunicator processes;
  private final BatchSlice slice;

  /** The processes of a communicator, which the caller closes when the training is over. */
  public ProcessGroup(NativeCommunicator processes) {
    this.processes = processes;
    slice = new BatchSlice(processes.rank(), processes.size());
  }

  @Override
  public boolean isFirst() {
    return slice.rank() == 0;
  }

  @Override
  public BatchSlice slice() {
    return slice;
  }

  @Override
  public boolean any(boolean here) {
    double[] count = {here ? 1 : 0};
    processes.sum(count);
    return count[0] > 0;
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
  public List<String> gather(String here) {
    return processes.gather(here);
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
    try {
      List<String> all = processes.gather(Json.mapper().writeValueAsString(config));
      RunConfig first = Json.mapper().readValue(all.get(0), RunConfig.class);
      for (int rank = 1; rank < all.size(); rank++) {
        List<String> differences =
            ResumeRules.changes(first, Json.mapper().readValue(all.get(rank), RunConfig.class));
        if (!differences.isEmpty()) {
          throw new LayerwiseException(
              "rank " + rank + " has other settings than rank 0: " + String.join(", ", differences)
                  + "; start all processes with the same options");
        }
      }
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e); // they are this program's own
    }
  }

  @Override
  public NativeCommunicator ofDevices() {
    return processes;
  }
}
