package dev.layerwise.train;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.checkpoint.CheckpointException;
import dev.layerwise.checkpoint.HostTensor;
import dev.layerwise.checkpoint.SafeTensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A run at one moment, from which it goes on to the same bits as if it had not stopped. A safetensors
 * file: weights under their names, the optimizers' state under {@code optimizer.…}, configuration and
 * progress as JSON in the metadata.
 */
record Checkpoint(
    RunConfig config, Progress progress, Map<String, HostTensor> weights, Map<String, HostTensor> optimizerState) {

  static final String FILE_NAME = "checkpoint.safetensors";
  private static final String FORMAT = "layerwise-checkpoint-1";
  private static final String OPTIMIZER_PREFIX = "optimizer.";
  private static final ObjectMapper JSON = new ObjectMapper();

  /** Writes the file, whole or not at all. */
  void write(Path path) {
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("format", FORMAT);
    try {
      metadata.put("config", JSON.writeValueAsString(config));
      metadata.put("progress", JSON.writeValueAsString(progress));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
    Map<String, HostTensor> tensors = new LinkedHashMap<>(weights);
    optimizerState.forEach((name, value) -> tensors.put(OPTIMIZER_PREFIX + name, value));
    new SafeTensors(metadata, tensors).write(path);
  }

  /**
   * Reads a checkpoint file, or the one in a run's folder.
   *
   * @throws CheckpointException if there is none, or if it is not a whole checkpoint of this program
   */
  static Checkpoint read(Path path) {
    Path file = Files.isDirectory(path) ? path.resolve(FILE_NAME) : path;
    SafeTensors contents = SafeTensors.read(file);
    if (!FORMAT.equals(contents.metadata().get("format"))) {
      throw new CheckpointException(
          file + " is not a checkpoint of Layerwise: its metadata has no format '" + FORMAT
              + "'; give a run's folder or its " + FILE_NAME);
    }
    Map<String, HostTensor> weights = new LinkedHashMap<>();
    Map<String, HostTensor> optimizerState = new LinkedHashMap<>();
    contents
        .tensors()
        .forEach(
            (name, value) -> {
              if (name.startsWith(OPTIMIZER_PREFIX)) {
                optimizerState.put(name.substring(OPTIMIZER_PREFIX.length()), value);
              } else {
                weights.put(name, value);
              }
            });
    try {
      RunConfig config = JSON.readValue(contents.metadata().getOrDefault("config", ""), RunConfig.class);
      Progress progress = JSON.readValue(contents.metadata().getOrDefault("progress", ""), Progress.class);
      return new Checkpoint(config, progress, weights, optimizerState);
    } catch (JsonProcessingException e) {
      throw new CheckpointException(file + ": the run's description in the metadata cannot be read", e);
    }
  }
}
