package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.layerwise.run.RunConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs of the version before settings had records of their own, as that version wrote them, are still read. */
class EarlierFilesTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path folder;

  @BeforeEach
  void copy() throws IOException {
    for (String file :
        List.of(
            "run/config.json", "run/metrics.jsonl", "run/checkpoint.safetensors", "run/model.safetensors",
            "described/config.json", "described/model.safetensors")) {
      Path target = folder.resolve(file);
      Files.createDirectories(target.getParent());
      try (var stored = EarlierFilesTest.class.getResourceAsStream("/dev/layerwise/earlier/" + file)) {
        Files.copy(stored, target);
      }
    }
  }

  private JsonNode config(String run) throws IOException {
    return JSON.readTree(folder.resolve(run).resolve("config.json").toFile());
  }

  @Test
  void configurationsAreReadAndWrittenAsTheyWere() throws IOException {
    for (String run : List.of("run", "described")) {
      RunConfig read = JSON.readValue(folder.resolve(run).resolve("config.json").toFile(), RunConfig.class);
      assertThat(JSON.readTree(JSON.writeValueAsString(read))).as(run).isEqualTo(config(run));
    }
  }

  @Test
  void aRunGoesOn() throws IOException {
    ObjectNode expected = (ObjectNode) config("run");
    ((ObjectNode) expected.get("training")).put("epochs", 3);
    CommandLineRunner resumed =
        CommandLineRunner.run("train", "--resume", folder.resolve("run"), "--epochs", 3, "--json");
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(resumed.events()).filteredOn(event -> event.path("event").asText().equals("epoch"))
        .extracting(event -> event.get("epoch").asInt()).containsExactly(2, 3);
    assertThat(config("run")).isEqualTo(expected);
    assertThat(Files.readAllLines(folder.resolve("run/metrics.jsonl"))).hasSize(3);
  }

  @Test
  void modelsAreEvaluated() {
    CommandLineRunner published =
        CommandLineRunner.run("evaluate", folder.resolve("run/model.safetensors"), "--device", "reference", "--json");
    assertThat(published.exitCode()).as(published.err()).isZero();
    assertThat(published.lastEvent().get("test_error").asDouble()).isEqualTo(90.27777777777777);
    CommandLineRunner described =
        CommandLineRunner.run("evaluate", folder.resolve("described/model.safetensors"), "--json");
    assertThat(described.exitCode()).as(described.err()).isZero();
  }
}
