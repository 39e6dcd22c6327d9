package dev.layerwise.model;

import dev.layerwise.checkpoint.CheckpointException;
import dev.layerwise.checkpoint.ElementType;
import dev.layerwise.checkpoint.HostTensor;
import dev.layerwise.checkpoint.SafeTensors;
import dev.layerwise.nativelib.TensorInfo;
import dev.layerwise.nativelib.TensorRole;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Weights from another program or run: a safetensors file whose tensors have the names that PyTorch's state_dict gives
 * them, which are those of a model file. Every parameter and running statistic must be there in its shape, and nothing
 * else, but for PyTorch's counters {@code num_batches_tracked}, on which nothing depends.
 */
public final class WeightImport {
  private static final String COUNTER = ".num_batches_tracked";
  /** Names of one kind that a message lists. */
  private static final int MOST_LISTED = 20;

  private WeightImport() {}

  /**
   * Sets a network's parameters and running statistics; optimizers' state stays as it is.
   *
   * @throws CheckpointException if the file cannot be read, or its tensors are not those of the network: lists those
   *     that are missing, too many, or of another shape or type. Nothing has been changed then
   */
  public static void load(Path file, Network network) {
    Map<String, HostTensor> given = new LinkedHashMap<>(SafeTensors.read(file).tensors());
    given.keySet().removeIf(name -> name.endsWith(COUNTER));
    List<String> missing = new ArrayList<>();
    List<String> different = new ArrayList<>();
    List<String> extra = new ArrayList<>(given.keySet());
    expected(network).forEach((name, shape) -> {
      HostTensor tensor = given.get(name);
      if (tensor == null) {
        missing.add(name);
        return;
      }
      extra.remove(name);
      if (!Arrays.equals(tensor.shape(), shape) || tensor.type() != ElementType.F32) {
        different.add(
            name + " is " + tensor.type() + " " + Arrays.toString(tensor.shape()) + " where the network has F32 "
                + Arrays.toString(shape));
      }
    });
    List<String> faults = new ArrayList<>();
    add(faults, "missing", missing);
    add(faults, "not in the network", extra);
    add(faults, "of another shape or type", different);
    if (!faults.isEmpty()) {
      throw new CheckpointException(
          "the weights in " + file + " do not fit the network; " + String.join("; ", faults)
              + ". Networks and losses must be the same; 'layerwise inspect' and 'layerwise networks' show them");
    }
    network.setWeights(given);
  }

  private static Map<String, long[]> expected(Network network) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    for (int i = 0; i < network.layers().size(); i++) {
      for (TensorInfo tensor : network.tensors(i)) {
        if (tensor.role() != TensorRole.OPTIMIZER_STATE) {
          shapes.put(network.layers().get(i).name() + "." + tensor.name(), tensor.shape());
        }
      }
    }
    return shapes;
  }

  private static void add(List<String> faults, String what, List<String> names) {
    if (!names.isEmpty()) {
      String listed = names.stream().limit(MOST_LISTED).collect(Collectors.joining(", "));
      String more = names.size() > MOST_LISTED ? " and " + (names.size() - MOST_LISTED) + " more" : "";
      faults.add(what + ": " + listed + more);
    }
  }
}
