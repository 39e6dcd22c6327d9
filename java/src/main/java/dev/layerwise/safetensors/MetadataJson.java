package dev.layerwise.safetensors;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.LayerwiseException;
import dev.layerwise.files.FileException;
import java.nio.file.Path;
import java.util.Map;

/** Descriptions in a file's metadata. What is read is not trusted: nothing that is missing becomes a 0 or a false. */
public final class MetadataJson {
  private static final ObjectMapper JSON =
      new ObjectMapper().enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES);

  private MetadataJson() {}

  /** The JSON text of a record. */
  public static String write(Object value) {
    try {
      return JSON.writeValueAsString(value);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * Reads a record back.
   *
   * @param text {@code null} if the metadata has none
   * @param what it describes, for the message
   * @throws FileException if it is not such a record, whole and with values that the record takes
   */
  public static <T> T read(String text, Class<T> type, Path file, String what) {
    try {
      JsonNode tree = JSON.readTree(text == null ? "" : text);
      T value = JSON.treeToValue(tree, type);
      if (value != null && says(JSON.valueToTree(value), tree)) {
        return value;
      }
    } catch (JsonProcessingException e) {
      String reason = e.getCause() instanceof LayerwiseException refused ? ": " + refused.getMessage() : "";
      throw new FileException(file + ": " + what + " in the metadata cannot be read" + reason, e);
    }
    throw new FileException(file + ": " + what + " in the metadata cannot be read");
  }

  /** Whether what was read has all fields of what was written: a later version may know more settings. */
  private static boolean says(JsonNode read, JsonNode written) {
    for (Map.Entry<String, JsonNode> field : written.properties()) {
      JsonNode same = read.get(field.getKey());
      if (!field.getValue().isNull() && (same == null || !says(same, field.getValue()))) {
        return false;
      }
    }
    return true;
  }
}
