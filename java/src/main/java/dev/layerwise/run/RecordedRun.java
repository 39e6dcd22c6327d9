package dev.layerwise.run;

import dev.layerwise.files.FileException;
import dev.layerwise.run.TrainingResult.Ending;
import dev.layerwise.safetensors.ForeignFile;
import dev.layerwise.safetensors.MetadataJson;
import dev.layerwise.safetensors.SafeTensors;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a checkpoint says of its run, tensors left out.
 *
 * @param config the configuration with which the run was started or last resumed
 * @param progress how far it had come
 * @param classNames in the order of the labels; {@code null} in files of versions that did not store them
 * @param images that the run was started with; {@code null} likewise
 */
public record RecordedRun(RunConfig config, Progress progress, List<String> classNames, RunImages images) {
  private static final String FORMAT = "layerwise-checkpoint-1";
  private static final String CLASS_NAMES = "class_names";
  private static final String IMAGES = "images";

  /**
   * Reads no more than the header of a checkpoint.
   *
   * @param path a checkpoint file or a run's folder
   * @throws FileException if there is none, or if it is not a whole checkpoint of this program
   */
  public static RecordedRun read(Path path) {
    Path file = Checkpoint.fileAt(path);
    ForeignFile.refuse(
        file, "a checkpoint of Layerwise", "give a run's folder or its " + Checkpoint.FILE_NAME
            + "; weights of another program can start a new run");
    return of(SafeTensors.readMetadata(file), file);
  }

  static RecordedRun of(Map<String, String> metadata, Path file) {
    if (!FORMAT.equals(metadata.get("format"))) {
      throw new FileException(
          file + " is not a checkpoint of Layerwise: its metadata has no format '" + FORMAT
              + "'; give a run's folder or its " + Checkpoint.FILE_NAME);
    }
    return new RecordedRun(
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

  Map<String, String> metadata() {
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("format", FORMAT);
    metadata.put("config", MetadataJson.write(config));
    metadata.put("progress", MetadataJson.write(progress));
    metadata.put(CLASS_NAMES, MetadataJson.write(classNames));
    metadata.put(IMAGES, MetadataJson.write(images));
    return metadata;
  }

  /** What the run has given so far. */
  public TrainingResult result() {
    return progress.result(config.training().schedule(), Ending.STOPPED, null);
  }

  /** Whether it was not started with other images than these, as far as is known. */
  public boolean mayBeOf(RunImages others) {
    return images == null || images.equals(others);
  }
}
