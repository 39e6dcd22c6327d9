package dev.layerwise.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.Json;
import dev.layerwise.LayerwiseException;
import dev.layerwise.files.AtomicFiles;
import dev.layerwise.files.FileErrors;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The file {@code metrics.jsonl} in a run's folder: one {@link EpochReport} per line. It need not exist. */
public final class MetricsFile {
  /** Name of the file in a run's folder. */
  public static final String NAME = "metrics.jsonl";

  /** Fields that a later version adds are passed over; numbers that are missing do not become 0. */
  private static final ObjectMapper JSON =
      Json.mapper()
          .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES);

  private final Path path;

  /** The file of a run's folder. */
  public MetricsFile(Path folder) {
    path = folder.resolve(NAME);
  }

  /**
   * What the file says.
   *
   * @param epochs finished ones in their order; none if there is no file
   * @param cutShort whether half a last line, as a killed run leaves it, was left out
   */
  public record Contents(List<EpochReport> epochs, boolean cutShort) {}

  /**
   * Reads the file.
   *
   * @throws LayerwiseException if it cannot be read or is damaged, but for half a last line
   */
  public Contents read() {
    List<EpochReport> epochs = new ArrayList<>();
    if (!Files.exists(path)) {
      return new Contents(epochs, false);
    }
    String text = text();
    String[] lines = text.split("\n");
    for (int i = 0; i < lines.length; i++) {
      EpochReport epoch;
      try {
        epoch = JSON.readValue(lines[i], EpochReport.class);
      } catch (JsonProcessingException e) {
        if (i == lines.length - 1 && !text.endsWith("\n")) {
          return new Contents(epochs, !lines[i].isBlank());
        }
        throw new LayerwiseException(
            String.format(Locale.ROOT, "%s is damaged: line %d is not an epoch's metrics", path, i + 1), e);
      }
      int before = epochs.isEmpty() ? 0 : epochs.get(epochs.size() - 1).epoch();
      if (epoch == null || !isWhole(epoch.blocks()) || epoch.epoch() <= before) {
        throw new LayerwiseException(
            String.format(
                Locale.ROOT, "%s is damaged: line %d is not the metrics of an epoch after %d", path, i + 1, before));
      }
      epochs.add(epoch);
    }
    return new Contents(epochs, false);
  }

  private static boolean isWhole(List<EpochReport.BlockReport> blocks) {
    return blocks != null && blocks.stream().allMatch(block -> block != null && block.name() != null);
  }

  private String text() {
    try {
      return new String(Files.readAllBytes(path), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new LayerwiseException("cannot read " + path + " (" + FileErrors.reason(e) + ")", e);
    }
  }

  void append(EpochReport report) {
    try {
      Files.writeString(
          path, JSON.writeValueAsString(report) + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND,
          StandardOpenOption.SYNC);
    } catch (IOException e) {
      throw new LayerwiseException("cannot write " + path + " (" + FileErrors.reason(e) + ")", e);
    }
  }

  /** Copies another folder's metrics, if it has any and this one has none. */
  public void adoptFrom(Path folder) {
    MetricsFile source = new MetricsFile(folder);
    if (!Files.exists(path) && Files.exists(source.path)) {
      write(source.text());
    }
  }

  /** Leaves the lines of the epochs before this one, which a resumed run does not write again. */
  public void keepBefore(int epoch) {
    if (Files.exists(path)) {
      StringBuilder kept = new StringBuilder();
      text().lines().filter(line -> epochOf(line) < epoch).forEach(line -> kept.append(line).append('\n'));
      write(kept.toString());
    }
  }

  /** The epoch that a line is about; a line cut short by a crash is about none that is kept. */
  private static int epochOf(String line) {
    try {
      JsonNode node = JSON.readTree(line).get("epoch");
      return node == null ? Integer.MAX_VALUE : node.asInt(Integer.MAX_VALUE);
    } catch (JsonProcessingException e) {
      return Integer.MAX_VALUE;
    }
  }

  private void write(String text) {
    AtomicFiles.write(path, out -> out.write(text.getBytes(StandardCharsets.UTF_8)));
  }
}
