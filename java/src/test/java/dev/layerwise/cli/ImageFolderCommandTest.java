package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Training on a folder of images of one's own. */
class ImageFolderCommandTest {
  private static final String OPTIONS =
      " --dataset image-folder --image-size 16 --model mlp --num-hidden 32 --batch-size 16 --threads 1 --json";

  @TempDir private Path folder;
  private Path images;

  /** Red and blue images of different sizes, one of them broken. */
  @BeforeEach
  void draw() throws IOException {
    images = folder.resolve("images");
    Random random = new Random(1);
    for (String part : new String[] {"train", "val"}) {
      for (String color : new String[] {"blue", "red"}) {
        Path target = Files.createDirectories(images.resolve(part).resolve(color));
        for (int i = 0; i < 24; i++) {
          BufferedImage image =
              new BufferedImage(20 + random.nextInt(30), 20 + random.nextInt(30), BufferedImage.TYPE_INT_RGB);
          Graphics2D graphics = image.createGraphics();
          int shade = 100 + random.nextInt(156);
          graphics.setColor(color.equals("red") ? new Color(shade, 20, 20) : new Color(20, 20, shade));
          graphics.fillRect(0, 0, 50, 50);
          graphics.dispose();
          ImageIO.write(image, "png", target.resolve(i + ".png").toFile());
        }
      }
    }
    Files.writeString(images.resolve("train/red/broken.png"), "no image");
  }

  @Test
  void learnsThemAndLeavesOutWhatIsBroken() {
    CommandLineRunner run = train("run", " --epochs 4");
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.lastEvent().get("test_error").asDouble()).isLessThan(10);
    assertThat(run.err()).contains("broken.png").contains("1 images could not be used and were left out");

    CommandLineRunner evaluation =
        CommandLineRunner.run("evaluate", folder.resolve("run"), "--data-dir", images, "--json");
    assertThat(evaluation.exitCode()).as(evaluation.err()).isZero();
    JsonNode result = evaluation.lastEvent();
    assertThat(result.get("images").asInt()).isEqualTo(48);
    assertThat(result.get("test_error").asDouble()).isEqualTo(run.lastEvent().get("test_error").asDouble());
  }

  @Test
  void aResumedRunEndsWithTheSameBits() throws IOException {
    assertThat(train("whole", " --epochs 4").exitCode()).isZero();
    assertThat(train("parts", " --epochs 2").exitCode()).isZero();
    CommandLineRunner resumed =
        CommandLineRunner.run("train", "--resume", folder.resolve("parts"), "--epochs", 4, "--data-dir", images);
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(Files.readAllBytes(folder.resolve("parts/model.safetensors")))
        .isEqualTo(Files.readAllBytes(folder.resolve("whole/model.safetensors")));
  }

  @Test
  void strictStopsAtABrokenImage() {
    CommandLineRunner run = train("run", " --epochs 1 --strict");
    assertThat(run.exitCode()).isEqualTo(1);
    assertThat(run.err()).contains("broken.png").doesNotContain("\tat ");
  }

  @Test
  void optionsOfFoldersAreForFolders() {
    CommandLineRunner run = CommandLineRunner.run("train", "--image-size", 32, "--out", folder.resolve("run"));
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).contains("--image-size and --strict go with --dataset image-folder");
    assertThat(CommandLineRunner.run("train", "--dataset", "image-folder").err()).contains("needs --data-dir");
  }

  private CommandLineRunner train(String out, String options) {
    return CommandLineRunner.run(
        (Object[]) ("train --out " + folder.resolve(out) + " --data-dir " + images + OPTIONS + options).split(" +"));
  }
}
