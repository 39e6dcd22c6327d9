package dev.layerwise.model;

import dev.layerwise.files.FileException;
import dev.layerwise.nativelib.TensorInfo;
import dev.layerwise.nativelib.generated.LayerwiseApi.TensorRole;
import dev.layerwise.safetensors.SafeTensorsFile;
import dev.layerwise.safetensors.TensorSource;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Weights from another program or run beside a network that is to take them: a safetensors file whose tensors have the
 * names that PyTorch's state_dict gives them, which are those of a model file. What wrappers such as DataParallel and
 * torch.compile add to names is passed over, and so is what is no weight: PyTorch's counters, and what a
 * checkpoint of this program has besides, the optimizers' state and the weights of the best epoch. Tensors are converted to float32 as {@link TensorSource#inFloat32} does.
 */
public final class WeightImport {
  /** What a wrapped module is called in its wrapper, wherever it stands in a name. */
  private static final Pattern WRAPPER = Pattern.compile("(^|\\.)(?:module|_orig_mod)\\.");
  /** More are not looked for in one name. */
  private static final int MOST_WRAPPERS = 8;
  private static final Pattern NO_WEIGHT = Pattern.compile("(.*\\.)?num_batches_tracked|n_averaged|optimizer\\..*|best/.*");
  /** Names of one kind that the message of a failure lists. */
  private static final int MOST_LISTED = 20;

  private final Path file;
  /** What fits, by the network's names. */
  private final Map<String, TensorSource> fitting = new LinkedHashMap<>();
  private final List<String> missing = new ArrayList<>();
  private final List<String> different = new ArrayList<>();
  private final List<String> extra = new ArrayList<>();

  private WeightImport(Path file) {
    this.file = file;
  }

  /**
   * Sets a network's parameters and running statistics; optimizers' state stays as it is.
   *
   * @param partial whether tensors that do not fit are left out; what has none in the file then stays as it is
   * @return what was taken and what was not
   * @throws FileException if the file cannot be read, as for {@link #compare} or {@link #requireFit}. Nothing has
   *     been changed then
   */
  public static WeightImport load(Path file, DeviceNetwork network, boolean partial) {
    try (SafeTensorsFile open = SafeTensorsFile.open(file)) {
      WeightImport weights = compare(file, open, network);
      weights.requireFit(partial);
      Map<String, TensorSource> all = new LinkedHashMap<>(network.weights());
      all.putAll(weights.fitting);
      network.setWeights(all);
      return weights;
    }
  }

  /**
   * Finds out which of a file's tensors a network can take.
   *
   * @throws FileException if the file cannot be read, has two tensors for one of the network's, or a tensor that
   *     fits holds values that are not finite
   */
  public static WeightImport compare(Path file, DeviceNetwork network) {
    try (SafeTensorsFile open = SafeTensorsFile.open(file)) {
      return compare(file, open, network);
    }
  }

  private static WeightImport compare(Path file, SafeTensorsFile open, DeviceNetwork network) {
    Map<String, long[]> expected = expected(network);
    WeightImport weights = new WeightImport(file);
    Map<String, TensorSource> given = weights.named(open.tensors(), expected.keySet());
    expected.forEach((name, shape) -> weights.compare(name, shape, given.get(name)));
    return weights;
  }

  /** The tensors by the network's names; those that it does not have are put aside. */
  private Map<String, TensorSource> named(Map<String, TensorSource> tensors, Set<String> expected) {
    Map<String, TensorSource> given = new HashMap<>();
    Map<String, String> sources = new HashMap<>();
    tensors.forEach((source, tensor) -> {
      String name = withoutWrappers(source, expected);
      if (!expected.contains(name)) {
        if (!NO_WEIGHT.matcher(name).matches()) {
          extra.add(source);
        }
        return;
      }
      String other = sources.put(name, source);
      if (other != null) {
        throw new FileException(
            file + " holds the weights of " + name + " twice, as " + other + " and as " + source
                + "; leave out one of them");
      }
      given.put(name, tensor);
    });
    return given;
  }

  /** The name in the network, or one that the network does not have. */
  private static String withoutWrappers(String source, Set<String> expected) {
    String name = source;
    for (int i = 0; i < MOST_WRAPPERS && !expected.contains(name); i++) {
      name = WRAPPER.matcher(name).replaceFirst("$1");
    }
    return name;
  }

  private void compare(String name, long[] shape, TensorSource tensor) {
    if (tensor == null) {
      missing.add(name);
    } else if (!Arrays.equals(tensor.shape(), shape) || !tensor.type().isReal()) {
      different.add(
          name + " is " + tensor.type() + " " + Arrays.toString(tensor.shape()) + " where the network has F32 "
              + Arrays.toString(shape));
    } else {
      TensorSource converted = tensor.inFloat32();
      converted.read(values -> requireFinite(name, values.asFloatBuffer()));
      fitting.put(name, converted);
    }
  }

  private void requireFinite(String name, FloatBuffer values) {
    int bad = 0;
    for (int i = 0; i < values.limit(); i++) {
      bad += Float.isFinite(values.get(i)) ? 0 : 1;
    }
    if (bad > 0) {
      throw new FileException(
          "the weights in " + file + " cannot be trained: " + bad + " of the " + values.limit() + " values of " + name
              + " are NaN or infinite in float32");
    }
  }

  private static Map<String, long[]> expected(DeviceNetwork network) {
    Map<String, long[]> shapes = new LinkedHashMap<>();
    for (int i = 0; i < network.layers().size(); i++) {
      for (TensorInfo tensor : network.tensors(i)) {
        if (tensor.role() != TensorRole.LAYERWISE_OPTIMIZER_STATE) {
          shapes.put(network.layers().get(i).name() + "." + tensor.name(), tensor.shape());
        }
      }
    }
    return shapes;
  }

  /** Whether the network finds all that it needs, and the file has nothing else. */
  public boolean fitsWhole() {
    return missing.isEmpty() && different.isEmpty() && extra.isEmpty();
  }

  /** Whether the network finds anything. */
  public boolean fitsInPart() {
    return !fitting.isEmpty();
  }

  /**
   * Throws {@link FileException} unless the network can be set; lists what does not fit.
   *
   * @param partial whether it suffices that anything fits
   */
  public void requireFit(boolean partial) {
    if (!(partial ? fitsInPart() : fitsWhole())) {
      throw new FileException(misfit());
    }
  }

  /** That weights do not fit, and which. */
  public String misfit() {
    List<String> faults = new ArrayList<>();
    add(faults, "missing", missing, MOST_LISTED);
    add(faults, "not in the network", extra, MOST_LISTED);
    add(faults, "of another shape or type", different, MOST_LISTED);
    String misfit = fitsInPart() ? "the weights in " + file + " do not fit" : "nothing in " + file + " fits";
    return misfit + " the network; " + String.join("; ", faults)
        + ". Networks and losses must be the same; 'layerwise inspect' and 'layerwise networks' show them";
  }

  private static void add(List<String> faults, String what, List<String> names, int most) {
    if (!names.isEmpty()) {
      String listed = names.stream().limit(most).collect(Collectors.joining(", "));
      String more = names.size() > most ? " and " + (names.size() - most) + " more" : "";
      faults.add(what + ": " + listed + more);
    }
  }

  /** What was taken from the file, and by name all that was not, a sentence each. */
  public List<String> summary() {
    int needed = fitting.size() + missing.size() + different.size();
    List<String> lines = new ArrayList<>();
    lines.add(fitting.size() + " of the network's " + needed + " tensors come from " + file);
    add(lines, "not in the file, left as in a new network", missing, Integer.MAX_VALUE);
    add(lines, "of another shape or type in the file, left as in a new network", different, Integer.MAX_VALUE);
    add(lines, "in the file, but not used", extra, Integer.MAX_VALUE);
    return lines;
  }
}
