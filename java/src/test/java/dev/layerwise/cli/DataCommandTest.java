package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.layerwise.data.download.FaultyServer;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataCommandTest {
  @TempDir
  Path folder;

  @Test
  void listsEveryDataSet() {
    CommandLineRunner text = CommandLineRunner.run("data", "list", "--data-dir", folder);
    assertThat(text.exitCode()).isZero();
    assertThat(text.out().lines()).hasSize(8).allMatch(line -> line.endsWith("not found"));
    List<JsonNode> events = CommandLineRunner.run("data", "list", "--json").events();
    assertThat(events).extracting(event -> event.get("name").asText())
        .contains("digits", "kuzushiji-mnist", "svhn", "stl-10");
    assertThat(events.get(0).get("event").asText()).isEqualTo("dataset");
    assertThat(events.get(0).get("location").asText()).isEqualTo("included with the program");
    assertThat(events.get(0).get("train").asInt()).isEqualTo(1437);
  }

  @Test
  void verifiesWhatIsHereAndWhatIsNot() {
    CommandLineRunner digits = CommandLineRunner.run("data", "verify", "digits");
    assertThat(digits.exitCode()).isZero();
    assertThat(digits.out()).startsWith("digits").contains("whole", "included with the program");
    CommandLineRunner both = CommandLineRunner.run("data", "verify", "--json", "--data-dir", folder, "mnist", "svhn");
    assertThat(both.exitCode()).isEqualTo(1);
    assertThat(both.events()).hasSize(2).allMatch(event -> !event.get("whole").asBoolean());
    assertThat(both.events().get(0).get("reason").asText())
        .contains("MNIST was not found", "layerwise data fetch mnist");
  }

  @Test
  void fetchFromAMirrorThatDoesNotHaveIt() {
    try (FaultyServer server = new FaultyServer()) {
      CommandLineRunner fetch = CommandLineRunner.run("data", "fetch", "mnist", "--mirror", server.uri("files"),
          "--data-dir", folder);
      assertThat(fetch.exitCode()).isEqualTo(1);
      assertThat(fetch.out()).isEmpty();
      assertThat(fetch.err()).contains("/files/train-images-idx3-ubyte.gz is not there (status 404)")
          .doesNotContain("\tat ");
      assertThat(CommandLineRunner.run("data", "fetch", "mnist", "--mirror", server.uri("files"), "--data-dir", folder,
          "--verbose").err()).contains("\tat ");
    }
  }

  @Test
  void fetchOfWhatComesWithTheProgram() {
    CommandLineRunner fetch = CommandLineRunner.run("data", "fetch", "digits", "--json");
    assertThat(fetch.exitCode()).isZero();
    assertThat(fetch.lastEvent().get("event").asText()).isEqualTo("fetched");
    assertThat(fetch.lastEvent().get("location").asText()).isEqualTo("included with the program");
  }

  @Test
  void wrongUsage() {
    assertWrongUsage("list, fetch or verify", "data");
    assertWrongUsage("NAME", "data", "fetch");
    assertWrongUsage("--mirror takes an http or https address, not ftp://x/", "data", "fetch", "mnist", "--mirror",
        "ftp://x/");
    for (String command : List.of("fetch", "verify")) {
      assertWrongUsage("NAME: unknown value 'minst'; choose from digits", "data", command, "digits", "minst");
      assertWrongUsage("NAME: unknown value 'image-folder'", "data", command, "image-folder");
      assertThat(CommandLineRunner.run("data", command, "--help").out())
          .contains("stl-10")
          .doesNotContain("image-folder");
    }
  }

  private static void assertWrongUsage(String part, Object... words) {
    CommandLineRunner run = CommandLineRunner.run(words);
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).contains(part, "--help").doesNotContain("\tat ");
  }
}
