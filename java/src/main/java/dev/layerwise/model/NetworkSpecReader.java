package dev.layerwise.model;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.layerwise.Json;
import dev.layerwise.files.FileErrors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** Reads a network's description from a JSON file, with errors that name file and block. */
final class NetworkSpecReader {
  private static final JsonMapper JSON = Json.strictMapper();

  /** Far more than a network of {@link LayerPlanner#MOST_BLOCKS} blocks takes. */
  private static final long MOST_BYTES = 64L << 20;

  private NetworkSpecReader() {}

  static NetworkSpec read(Path file) {
    JsonNode root = tree(file);
    require(
        root.isObject() && root.path("blocks").isArray(),
        file + ": a network is written as {\"blocks\": [ … ]}, with an object for each block");
    Iterator<String> fields = root.fieldNames();
    while (fields.hasNext()) {
      String field = fields.next();
      require(field.equals("blocks"), file + ": a network has no field '" + field + "' beside its blocks");
    }
    List<BlockSpec> blocks = new ArrayList<>();
    for (JsonNode node : root.get("blocks")) {
      blocks.add(block(file, node, blocks.size()));
    }
    return new NetworkSpec(blocks);
  }

  private static JsonNode tree(Path file) {
    try {
      require(Files.size(file) <= MOST_BYTES, file + " is too large for the description of a network");
      return JSON.readTree(Files.readString(file));
    } catch (JsonProcessingException e) {
      throw new ModelException(
          String.format(
              Locale.ROOT, "%s is not JSON: line %d, column %d: %s", file, e.getLocation().getLineNr(),
              e.getLocation().getColumnNr(), e.getOriginalMessage()));
    } catch (IOException e) {
      throw new ModelException("cannot read the network " + file + " (" + FileErrors.reason(e) + ")");
    }
  }

  private static BlockSpec block(Path file, JsonNode node, int position) {
    String given = node.path("name").isTextual() ? "'" + node.get("name").asText() + "'" : "number " + (position + 1);
    String who = file + ": block " + given + ": ";
    require(
        node.isObject(), who + "a block is an object such as {\"name\": \"first\", \"kind\": \"conv\", \"channels\": 64}");
    for (String field : List.of("name", "kind")) {
      require(node.path(field).isTextual(), who + "its " + field + " is missing, or is not text");
    }
    try {
      return JSON.treeToValue(node, BlockSpec.class);
    } catch (UnrecognizedPropertyException e) {
      throw new ModelException(
          who + "there is no field '" + e.getPropertyName() + "'; " + fieldsOf(node.get("kind").asText()));
    } catch (JsonMappingException e) {
      throw new ModelException(who + mismatch(e, node));
    } catch (JacksonException e) {
      throw new ModelException(who + e.getOriginalMessage());
    }
  }

  private static String fieldsOf(String kind) {
    return Arrays.stream(LayerSpec.Kind.values())
        .filter(known -> known.toString().equals(kind))
        .findFirst()
        .map(known -> "a block of kind " + known + " takes name, kind, " + String.join(", ", BlockFields.of(known)))
        .orElse("its kind '" + kind + "' is none of " + kinds());
  }

  private static String kinds() {
    return Arrays.stream(LayerSpec.Kind.values()).map(LayerSpec.Kind::toString).collect(Collectors.joining(", "));
  }

  private static String mismatch(JsonMappingException e, JsonNode node) {
    String field = e.getPath().isEmpty() ? "" : e.getPath().get(0).getFieldName();
    if ("kind".equals(field)) {
      return "its kind is one of " + kinds() + ", not '" + node.get("kind").asText() + "'";
    }
    return "its " + field + " cannot be " + node.path(field);
  }

  private static void require(boolean condition, String message) {
    if (!condition) {
      throw new ModelException(message);
    }
  }
}
