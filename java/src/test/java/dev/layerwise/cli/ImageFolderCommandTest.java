package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.layerwise.TestImageFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Training on a folder of images of one's own. */
class ImageFolderCommandTest {
  // In float32: images of one color each are so alike that bfloat16's rounding moves the mean of what a layer sees from
  // step to step, which training does not notice, but running statistics of a dozen steps do.
  private static final String OPTIONS =
      " --dataset image-folder --image-size 16 --model mlp --num-hidden 32 --batch-size 16 --threads 1 --precision f32"
          + " --json";

  @TempDir private Path folder;
  private Path images;

  @BeforeEach
  void draw() throws IOException {
    images = TestImageFolder.redAndBlue(folder.resolve("images"));
  }

  @Test
  void learnsThemAndLeavesOutWhatIsBroken() {
    CommandLineRunner run = train("run", " --epochs 4");
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.lastEvent().get("test_error").asDouble()).isLessThan(10);
    assertThat(run.err()).contains("broken.png").contains("1 image could not be read");

    CommandLineRunner evaluation =
        CommandLineRunner.run("evaluate", folder.resolve("run"), "--data-dir", images, "--json");
    assertThat(evaluation.exitCode()).as(evaluation.err()).isZero();
    JsonNode result = evaluation.lastEvent();
    assertThat(result.get("images").asInt()).isEqualTo(48);
    assertThat(result.get("test_error").asDouble()).isEqualTo(run.lastEvent().get("test_error").asDouble());

    CommandLineRunner others =
        CommandLineRunner.run(
            "evaluate", folder.resolve("run"), "--data-dir", images, "--classifier", "best", "--validation", 0.25, "--tta",
            "multi-crop", "--exit-confidence", 0.9, "--json");
    assertThat(others.exitCode()).as(others.err()).isZero();
    assertThat(others.lastEvent().get("test_error")).isEqualTo(result.get("test_error"));
    assertThat(others.lastEvent().get("classifier").get("validation_images").asInt()).isBetween(11, 12); // one may be broken
    assertThat(others.lastEvent().get("classifier").get("test_error").asDouble()).isLessThan(25); // chance is 50
    assertThat(others.lastEvent().get("tta").get("test_error").asDouble()).isLessThan(25);
    assertThat(others.lastEvent().get("early_exit").get("stopped")).isNotEmpty();
    assertThat(others.lastEvent().has("top5_error")).isFalse(); // of two classes
    assertThat(others.err()).doesNotContain("is usually trained without");

    CommandLineRunner prediction =
        CommandLineRunner.run("predict", folder.resolve("run"), images.resolve("val"), "--batch-size", 16, "--json");
    assertThat(prediction.exitCode()).as(prediction.err()).isZero();
    long wrong =
        prediction.events().stream()
            .filter(
                event -> {
                  String color = event.get("predictions").get(0).get("class").asText();
                  return !event.get("image").asText().contains("/" + color + "/");
                })
            .count();
    assertThat(100.0 * wrong / 48).isEqualTo(result.get("test_error").asDouble());
  }

  @Test
  void aResumedRunEndsWithTheSameBits() throws IOException {
    assertThat(train("whole", " --epochs 4 --flip alternating").exitCode()).isZero();
    assertThat(train("parts", " --epochs 2 --flip alternating").exitCode()).isZero();
    CommandLineRunner resumed =
        CommandLineRunner.run("train", "--resume", folder.resolve("parts"), "--epochs", 4, "--data-dir", images);
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(Files.readAllBytes(folder.resolve("parts/model.safetensors")))
        .isEqualTo(Files.readAllBytes(folder.resolve("whole/model.safetensors")));
  }

  @Test
  void strictStopsAtABrokenImageAndLeavesTheFolderFree() throws IOException {
    CommandLineRunner run = train("run", " --epochs 1 --strict --tensorboard");
    assertThat(run.exitCode()).isEqualTo(1);
    assertThat(run.err()).contains("broken.png").doesNotContain("\tat ");
    try (Stream<Path> left = Files.list(folder.resolve("run"))) {
      assertThat(left.map(file -> file.getFileName().toString())).containsExactly(".lock");
    }
    Files.delete(images.resolve("train/red/broken.png"));
    CommandLineRunner corrected = train("run", " --epochs 1 --strict");
    assertThat(corrected.exitCode()).as(corrected.err()).isZero();
  }

  @Test
  void classesOfOtherNamesOrInAnotherOrderAreRefused() throws IOException {
    assertThat(train("run", " --epochs 1").exitCode()).isZero();
    Path run = folder.resolve("run");
    for (String part : new String[] {"train", "val"}) { // now red comes first
      Files.move(images.resolve(part).resolve("blue"), images.resolve(part).resolve("sky"));
    }
    for (String command :
        new String[] {
          "train --resume " + run + " --epochs 2",
          "evaluate " + run
        }) {
      CommandLineRunner refused =
          CommandLineRunner.line(command + " --data-dir " + images);
      assertThat(refused.exitCode()).as(command).isEqualTo(1);
      assertThat(refused.err()).contains("has learned 'blue' as class 0", "that is 'red'").doesNotContain("\tat ");
    }
    assertThat(Files.readAllLines(run.resolve("metrics.jsonl"))).hasSize(1);
  }

  @Test
  void theSameImagesInALayoutOfTheirOwnMakeTheSameRun() throws IOException {
    assertThat(train("run", " --epochs 1").exitCode()).isZero();
    for (String part : new String[] {"train", "val"}) {
      Path red = images.resolve(part).resolve("red");
      Path all = Files.move(red, folder.resolve(part + "-red"));
      Files.createSymbolicLink(Files.createDirectories(red).resolve("images"), all);
      Files.writeString(red.resolve("boxes.txt"), "");
      Files.createDirectories(images.resolve(part).resolve("__MACOSX/red"));
    }
    CommandLineRunner other = train("other", " --epochs 1");
    assertThat(other.exitCode()).as(other.err()).isZero();
    assertThat(other.err().lines()).contains(
        "layerwise: skipped in " + images + ": 2 other files (.txt); 2 hidden or system files and folders (__MACOSX)");
    assertThat(Files.readAllBytes(folder.resolve("other/model.safetensors")))
        .isEqualTo(Files.readAllBytes(folder.resolve("run/model.safetensors")));
  }

  @Test
  void aRunKeepsNoExif() {
    CommandLineRunner stopped = train("run", " --epochs 1000 --no-exif --time-limit 1s");
    assertThat(stopped.err()).contains("train --resume " + folder.resolve("run") + " --no-exif");
    Object[] resume = {"train", "--resume", folder.resolve("run"), "--data-dir", images, "--time-limit", "1s"};
    CommandLineRunner refused = CommandLineRunner.run(resume);
    assertThat(refused.exitCode()).isEqualTo(1);
    assertThat(refused.err()).contains(
        "the run was started with the pixels of image files as they are stored, and goes on only with the same pixels;"
            + " resume it so, or start a new run");
    Object[] same = Arrays.copyOf(resume, resume.length + 1);
    same[resume.length] = "--no-exif";
    assertThat(CommandLineRunner.run(same).err()).contains("Continue with: ");
  }

  @Test
  void optionsOfFoldersAreForFolders() {
    CommandLineRunner run = CommandLineRunner.run("train", "--image-size", 32, "--out", folder.resolve("run"));
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).contains("--image-size, --strict and --no-exif go with --dataset image-folder");
    assertThat(CommandLineRunner.run("train", "--dataset", "image-folder").err()).contains("needs --data-dir");
  }

  private CommandLineRunner train(String out, String options) {
    return CommandLineRunner.line("train --out " + folder.resolve(out) + " --data-dir " + images + OPTIONS + options);
  }
}
