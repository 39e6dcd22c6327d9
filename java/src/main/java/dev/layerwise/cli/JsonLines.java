package dev.layerwise.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.layerwise.Json;
import java.io.PrintWriter;

/** Prints events as JSON objects, one per line, each beginning with its kind. */
final class JsonLines {
  private static final ObjectMapper JSON = Json.mapper();

  private JsonLines() {}

  /**
   * Prints {@code {"event": kind, …}} with the properties of the content.
   *
   * @param content a record or a map
   */
  static void print(PrintWriter out, String kind, Object content) {
    ObjectNode line = JSON.createObjectNode().put("event", kind);
    line.setAll((ObjectNode) JSON.valueToTree(content));
    try {
      out.println(JSON.writeValueAsString(line));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
    out.flush();
  }
}
