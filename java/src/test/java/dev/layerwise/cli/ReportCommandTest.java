package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.data.DataSets;
import dev.layerwise.data.ImageSet;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportCommandTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private static Path shared;
  private static Path trained;

  @TempDir private Path folder;

  @BeforeAll
  static void train() {
    trained = train(shared.resolve("trained"), 3);
  }

  private static Path train(Path out, int epochs) {
    CommandLineRunner run = CommandLineRunner.run("train", "--epochs", epochs, "--out", out);
    assertThat(run.exitCode()).as(run.err()).isZero();
    return out;
  }

  @Test
  void trainingLeavesWhatTheModelPredicts() throws IOException {
    JsonNode evaluation = JSON.readTree(trained.resolve("evaluation.json").toFile());
    List<String> metrics = Files.readAllLines(trained.resolve("metrics.jsonl"));
    double testError = JSON.readTree(metrics.get(2)).get("test_error").asDouble();
    ImageSet test = DataSets.load("digits", null).test();
    int right = 0;
    for (int label = 0; label < 10; label++) {
      JsonNode row = evaluation.get("confusion_matrix").get(label);
      int images = 0;
      for (JsonNode count : row) {
        images += count.asInt();
      }
      int wanted = label;
      assertThat(images).isEqualTo((int) Arrays.stream(test.labels()).filter(of -> of == wanted).count());
      right += row.get(label).asInt();
    }
    // Both count the same images; the percentages differ by rounding, which double keeps below this.
    assertThat(Math.abs(100.0 * (360 - right) / 360 - testError)).isLessThan(1e-9);

    assertThat(evaluation.get("mistakes").size()).isEqualTo(Math.min(24, 360 - right));
    double before = 1;
    for (JsonNode mistake : evaluation.get("mistakes")) {
      int image = mistake.get("image").asInt();
      assertThat(mistake.get("label").asInt()).isEqualTo(test.labels()[image]);
      assertThat(mistake.get("predicted").asInt()).isNotEqualTo(test.labels()[image]);
      assertThat(mistake.get("probability").asDouble()).isBetween(0.1, before);
      before = mistake.get("probability").asDouble();
      assertThat(pixels(mistake.get("png").binaryValue()))
          .isEqualTo(test.pixels(image));
    }
  }

  private static byte[] pixels(byte[] png) throws IOException {
    BufferedImage image = ImageIO.read(new ByteArrayInputStream(png));
    byte[] pixels = new byte[image.getWidth() * image.getHeight()];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (byte) image.getRaster().getSample(i % image.getWidth(), i / image.getWidth(), 0);
    }
    return pixels;
  }

  @Test
  void whatHoldsNoRunIsLeftOutAndRunsBelowAFolderAreFound() throws IOException {
    Path reproduced = Files.createDirectories(folder.resolve("reproduced"));
    Files.createDirectory(folder.resolve("notes"));
    Files.writeString(reproduced.resolve("table.md"), "");
    for (int seed = 1; seed <= 2; seed++) {
      Path run = Files.createDirectories(reproduced.resolve("digits-mlp/seed-" + seed));
      for (String name : new String[] {"config.json", "metrics.jsonl"}) {
        Files.copy(trained.resolve(name), run.resolve(name));
      }
    }
    Path page = folder.resolve("page.html");
    CommandLineRunner report =
        CommandLineRunner.run(
            "report", trained, reproduced, folder.resolve("notes"), reproduced.resolve("table.md"), "--out", page);
    assertThat(report.exitCode()).as(report.err()).isZero();
    assertThat(report.out()).contains("shows 3 runs");
    assertThat(report.err().lines()).containsExactly(
        "layerwise: " + folder.resolve("notes") + " holds no run and is left out",
        "layerwise: " + reproduced.resolve("table.md") + " holds no run and is left out");
  }

  @Test
  void evaluationsAreTheSameEachTime() throws IOException {
    Path again = train(folder.resolve("again"), 3);
    byte[] first = Files.readAllBytes(trained.resolve("evaluation.json"));
    assertThat(Files.readAllBytes(again.resolve("evaluation.json"))).isEqualTo(first);

    Files.delete(again.resolve("evaluation.json"));
    CommandLineRunner run = CommandLineRunner.run("evaluate", again);
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(again.resolve("evaluation.json")).doesNotExist();
    // In batches of the run's size it computes what the run did.
    run = CommandLineRunner.run("evaluate", again.resolve("model.safetensors"), "--save", "--batch-size", 64);
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(Files.readAllBytes(again.resolve("evaluation.json"))).isEqualTo(first);
  }

  @Test
  void evaluationsAreSavedInFoldersOfRunsOnly() throws IOException {
    Path bare = Files.createDirectories(folder.resolve("bare"));
    Path model = Files.copy(trained.resolve("model.safetensors"), bare.resolve("model.safetensors"));
    Path copy = Files.copy(trained.resolve("model.safetensors"), trained.resolve("copy.safetensors"));
    byte[] before = Files.readAllBytes(trained.resolve("evaluation.json"));
    for (Path path : List.of(bare, model, copy)) {
      CommandLineRunner run = CommandLineRunner.run("evaluate", path, "--save", "--batch-size", 1);
      assertThat(run.exitCode()).isEqualTo(2);
      assertThat(run.err()).contains("--save needs a run's folder");
    }
    assertThat(bare).isDirectoryNotContaining("glob:**{.lock,evaluation.json}");
    assertThat(Files.readAllBytes(trained.resolve("evaluation.json"))).isEqualTo(before);
    Files.delete(copy);
  }

  @Test
  void aRunThatGoesOnLeavesAnotherEvaluation() throws IOException {
    Path run = train(folder.resolve("run"), 1);
    byte[] first = Files.readAllBytes(run.resolve("evaluation.json"));
    assertThat(CommandLineRunner.run("train", "--resume", run, "--epochs", 4).exitCode()).isZero();
    assertThat(Files.readAllBytes(run.resolve("evaluation.json"))).isNotEqualTo(first);
  }

  @Test
  void thePageTellsWhatTheRunGave() throws IOException {
    Path other = train(folder.resolve("other"), 1);
    Path page = folder.resolve("page.html");
    CommandLineRunner run = CommandLineRunner.run("report", trained, other, "--out", page, "--json");
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.lastEvent().get("runs").asInt()).isEqualTo(2);
    assertThat(run.lastEvent().get("bytes").asLong()).isEqualTo(Files.size(page));
    String html = Files.readString(page);
    for (String line : Files.readAllLines(trained.resolve("metrics.jsonl"))) {
      JsonNode epoch = JSON.readTree(line);
      assertThat(html).contains(String.format(Locale.ROOT, "<td>%.2f</td>", epoch.get("test_error").asDouble()));
      for (JsonNode block : epoch.get("blocks")) {
        assertThat(html).contains(String.format(Locale.ROOT, "<td>%.2f</td>", block.get("local_error").asDouble()));
      }
    }
    JsonNode mistake = JSON.readTree(trained.resolve("evaluation.json").toFile()).get("mistakes").get(0);
    assertThat(html).contains("data:image/png;base64," + mistake.get("png").asText());
  }

  @Test
  void failuresAreOneSentence() throws IOException {
    refused(1, "there is no folder", folder.resolve("none"));
    refused(1, "is not a run, and holds none", Files.createDirectory(folder.resolve("empty")));
    refused(1, "is given twice", trained, trained);
    refused(1, "does not exist", trained, "--out", folder.resolve("no/such/report.html"));
    refused(2, "RUN");
    Path killed = train(folder.resolve("killed"), 1);
    Files.writeString(killed.resolve("metrics.jsonl"), "{\"epoch\":2,\"ep", StandardOpenOption.APPEND);
    CommandLineRunner run = CommandLineRunner.run("report", killed, "--out", folder.resolve("killed.html"));
    assertThat(run.exitCode()).isZero();
    assertThat(run.err()).contains("killed: The last line of metrics.jsonl is cut short");
    assertThat(run.out()).contains("killed.html shows 1 run (");
  }

  private void refused(int exitCode, String message, Object... arguments) {
    Object[] words = new Object[arguments.length + 1];
    words[0] = "report";
    System.arraycopy(arguments, 0, words, 1, arguments.length);
    CommandLineRunner run = CommandLineRunner.run(words);
    assertThat(run.exitCode()).as(run.err()).isEqualTo(exitCode);
    assertThat(run.err()).contains(message).doesNotContain("\tat ").doesNotContain("internal error");
    assertThat(run.out()).isEmpty();
  }
}
