package dev.layerwise.recipe;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.layerwise.Json;
import dev.layerwise.LayerwiseException;
import dev.layerwise.files.AtomicFiles;
import dev.layerwise.files.FileErrors;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** The files in which a table of results lies beside its runs: {@code table.json} and {@code table.md}. */
public final class TableFiles {
  private static final ObjectMapper JSON = Json.mapper().enable(SerializationFeature.INDENT_OUTPUT);

  private TableFiles() {}

  /**
   * Writes both, in place of earlier ones.
   *
   * @param folder is made where it is missing
   */
  public static void write(Path folder, Object table, String markdown) {
    try {
      Files.createDirectories(folder);
      byte[] json = JSON.writeValueAsBytes(table);
      AtomicFiles.write(folder.resolve("table.json"), out -> out.write(json));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    } catch (IOException e) {
      throw new LayerwiseException(
          "cannot write to the folder " + folder + " (" + FileErrors.reason(e) + "); choose another folder", e);
    }
    byte[] text = markdown.getBytes(StandardCharsets.UTF_8);
    AtomicFiles.write(folder.resolve("table.md"), out -> out.write(text));
  }
}
