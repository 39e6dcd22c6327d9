package dev.layerwise.run;

import dev.layerwise.files.FileException;
import dev.layerwise.safetensors.ForeignFile;
import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.safetensors.MetadataJson;
import dev.layerwise.safetensors.SafeTensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A run at one moment, from which it goes on to the same bits as if it had not stopped. A safetensors
 * file: weights under their names, the optimizers' state under {@code optimizer.…}, configuration and
 * progress as JSON in the metadata, and so the classes' names and what is known of the images.
 *
 * @param classNames in the order of the labels; {@code null} in files of versions that did not store them
 * @param images {@code null} likewise
 */
public record Checkpoint(
    RunConfig config, Progress progress, List<String> classNames, RunImages images, Map<String, HostTensor> weights,
    Map<String, HostTensor> optimizerState) {

  public static final String FILE_NAME = "checkpoint.safetensors";
  private static final String FORMAT = "layerwise-checkpoint-1";
  private static final String CLASS_NAMES = "class_names";
  private static final String IMAGES = "images";
  private static final String OPTIMIZER_PREFIX = "optimizer.";

  /** What a checkpoint says of its run, tensors left out. */
  public record State(RunConfig config, Progress progress, List<String> classNames, RunImages images) {
    /** Reads no more than the file's header; the path and what is thrown are as in {@link Checkpoint#read}. */
    public static State read(Path path) {
      Path file = fileAt(path);
      ForeignFile.refuse(
          file, "a checkpoint of Layerwise", "give a run's folder or its " + FILE_NAME + "; weights of another program"
              + " can start a new run");
      return of(SafeTensors.readMetadata(file), file);
    }

    private static State of(Map<String, String> metadata, Path file) {
      if (!FORMAT.equals(metadata.get("format"))) {
        throw new FileException(
            file + " is not a checkpoint of Layerwise: its metadata has no format '" + FORMAT
                + "'; give a run's folder or its " + FILE_NAME);
      }
      return new State(
          MetadataJson.read(metadata.get("config"), RunConfig.class, file, "the run's configuration"),
          MetadataJson.read(metadata.get("progress"), Progress.class, file, "the run's progress"),
          metadata.containsKey(CLASS_NAMES) ? classNames(metadata.get(CLASS_NAMES), file) : null,
          metadata.containsKey(IMAGES)
              ? MetadataJson.read(metadata.get(IMAGES), RunImages.class, file, "what is said of the images")
              : null);
    }

    private static List<String> classNames(String text, Path file) {
      List<String> names = Arrays.asList(MetadataJson.read(text, String[].class, file, "the classes' names"));
      if (names.contains(null)) {
        throw new FileException(file + ": a class in the metadata has no name");
      }
      return names;
    }
  }

  /** Writes the file, whole or not at all. */
  public void write(Path path) {
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("format", FORMAT);
    metadata.put("config", MetadataJson.write(config));
    metadata.put("progress", MetadataJson.write(progress));
    metadata.put(CLASS_NAMES, MetadataJson.write(classNames));
    metadata.put(IMAGES, MetadataJson.write(images));
    Map<String, HostTensor> tensors = new LinkedHashMap<>(weights);
    optimizerState.forEach((name, value) -> tensors.put(OPTIMIZER_PREFIX + name, value));
    new SafeTensors(metadata, tensors).write(path);
  }

  /**
   * Reads a checkpoint file, or the one in a run's folder.
   *
   * @throws FileException if there is none, or if it is not a whole checkpoint of this program
   */
  public static Checkpoint read(Path path) {
    Path file = fileAt(path);
    SafeTensors contents = SafeTensors.read(file);
    State state = State.of(contents.metadata(), file);
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
    return new Checkpoint(
        state.config(), state.progress(), state.classNames(), state.images(), weights, optimizerState);
  }

  private static Path fileAt(Path path) {
    return Files.isDirectory(path) ? path.resolve(FILE_NAME) : path;
  }
}
