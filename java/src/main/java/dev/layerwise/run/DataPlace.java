package dev.layerwise.run;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.nio.file.Path;
import java.util.Objects;

/**
 * Where a run's images were when it began or last went on. It is no part of the configuration: the same images may lie elsewhere.
 *
 * @param dataset name of the data set
 * @param folder absolute path of the folder that holds its files
 */
public record DataPlace(@JsonProperty("dataset") String dataset, @JsonProperty("folder") String folder) {
  static final String FILE_NAME = "data.json";

  /** Throws for what names no data set or no path, which a file may hold. */
  public DataPlace {
    Objects.requireNonNull(dataset);
    Path.of(folder);
  }
}
