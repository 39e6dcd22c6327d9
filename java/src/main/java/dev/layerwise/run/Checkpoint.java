package dev.layerwise.run;

import dev.layerwise.files.AtomicFiles;
import dev.layerwise.files.FileException;
import dev.layerwise.safetensors.SafeTensorsFile;
import dev.layerwise.safetensors.TensorSource;
import dev.layerwise.safetensors.SafeTensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A run at one moment, from which it goes on to the same bits as if it had not stopped. A safetensors
 * file: weights under their names, the optimizers' state under {@code optimizer.…}, the weights after the best epoch under
 * {@code best/…}, configuration and progress as JSON in the metadata, and so the classes' names and what is known of the
 * images.
 *
 * @param weights parameters and running statistics, wherever they are
 * @param optimizerState likewise
 * @param bestWeights likewise; empty if the run does not keep them ({@link TrainingConfig#keepsBest}) or has finished no epoch
 * @param file where they are, to be closed after their use; {@code null}: they are in a network
 */
public record Checkpoint(
    RecordedRun run, Map<String, TensorSource> weights, Map<String, TensorSource> optimizerState,
    Map<String, TensorSource> bestWeights, SafeTensorsFile file)
    implements AutoCloseable {

  /** Name of the file in a run's folder. */
  public static final String FILE_NAME = "checkpoint.safetensors";

  private static final String OPTIMIZER_PREFIX = "optimizer.";
  private static final String BEST_PREFIX = "best/"; // which no block's name can hold

  /** Begins the file: the network may go on learning while another thread finishes it. */
  AtomicFiles.Unfinished begin(Path path) {
    Map<String, TensorSource> tensors = new LinkedHashMap<>(weights);
    optimizerState.forEach((name, value) -> tensors.put(OPTIMIZER_PREFIX + name, value));
    bestWeights.forEach((name, value) -> tensors.put(BEST_PREFIX + name, value));
    return SafeTensors.begin(path, run.metadata(), tensors);
  }

  /**
   * Reads a checkpoint file, or the one in a run's folder.
   *
   * @throws FileException if there is none, or if it is not a whole checkpoint of this program
   */
  public static Checkpoint read(Path path) {
    Path file = fileAt(path);
    SafeTensorsFile contents = SafeTensorsFile.open(file);
    Map<String, TensorSource> weights = new LinkedHashMap<>();
    Map<String, TensorSource> optimizerState = new LinkedHashMap<>();
    Map<String, TensorSource> bestWeights = new LinkedHashMap<>();
    contents
        .tensors()
        .forEach(
            (name, value) -> {
              if (name.startsWith(OPTIMIZER_PREFIX)) {
                optimizerState.put(name.substring(OPTIMIZER_PREFIX.length()), value);
              } else if (name.startsWith(BEST_PREFIX)) {
                bestWeights.put(name.substring(BEST_PREFIX.length()), value);
              } else {
                weights.put(name, value);
              }
            });
    try {
      return new Checkpoint(RecordedRun.of(contents.metadata(), file), weights, optimizerState, bestWeights, contents);
    } catch (RuntimeException e) {
      contents.close();
      throw e;
    }
  }

  /** What the file holds can be read no longer. */
  @Override
  public void close() {
    if (file != null) {
      file.close();
    }
  }

  static Path fileAt(Path path) {
    return Files.isDirectory(path) ? path.resolve(FILE_NAME) : path;
  }
}
