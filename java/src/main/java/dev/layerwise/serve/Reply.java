package dev.layerwise.serve;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.Json;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;

/**
 * An answer to a request.
 *
 * @param status of HTTP
 * @param images whose results are in it
 */
record Reply(int status, String mediaType, byte[] body, int images) {
  private static final ObjectMapper JSON = Json.mapper();

  /** @param content a record or a map */
  static Reply json(Object content, int images) {
    return new Reply(200, "application/json", bytes(content), images);
  }

  static Reply text(String mediaType, String text) {
    return new Reply(200, mediaType, text.getBytes(StandardCharsets.UTF_8), 0);
  }

  /** @param sentence that says what is wrong */
  static Reply error(int status, String sentence) {
    return new Reply(status, "application/json", bytes(Map.of("error", sentence)), 0);
  }

  private static byte[] bytes(Object content) {
    try {
      byte[] body = JSON.writeValueAsBytes(content);
      byte[] line = Arrays.copyOf(body, body.length + 1);
      line[body.length] = '\n'; // a terminal's prompt comes on a line of its own
      return line;
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
