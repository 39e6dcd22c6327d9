package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.TestImageFolder;
import dev.layerwise.model.ModelFile;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

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
    assertThat(run.err()).contains("--image-size, --resize, --strict and --no-exif go with --dataset image-folder");
    assertThat(CommandLineRunner.run("train", "--dataset", "image-folder").err()).contains("needs --data-dir");
    CommandLineRunner small = train("run", " --resize 15");
    assertThat(small.exitCode()).isEqualTo(2);
    assertThat(small.err()).contains("--resize must be in 16 … 4096, not 15");
    CommandLineRunner scale = train("run", " --crop-scale 1.5");
    assertThat(scale.exitCode()).isEqualTo(2);
    assertThat(scale.err()).contains("--crop-scale must be in 0 … 1, not 1.5");
    assertThat(folder.resolve("run")).doesNotExist();
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "                                                  | true  |             | 0.08 | 0 | 18",
    "--flip random --crop-scale 0.08 --resize 18       | true  |             | 0.08 | 0 | 18",
    "--flip none --crop-scale 0 --resize 16            | false |             | 0    | 0 | 16",
    "--flip alternating --crop-scale 0.5 --crop 2      | true  | alternating | 0.5  | 2 | 18",
  })
  void whatIsDoneToImagesIsRecorded(
      String options, boolean flips, String flip, double cropScale, int cropPadding, int resize) throws IOException {
    assertThat(train("run", " --epochs 1 " + (options == null ? "" : options)).exitCode()).isZero();
    JsonNode training = training("run");
    assertThat(training.get("horizontal_flip").asBoolean()).isEqualTo(flips);
    assertThat(training.path("flip").asText(null)).isEqualTo(flip);
    assertThat(training.get("crop_scale").asDouble()).isEqualTo(cropScale);
    assertThat(training.get("crop_padding").asInt()).isEqualTo(cropPadding);
    assertThat(training.get("resize").asInt()).isEqualTo(resize);
    try (ModelFile model = ModelFile.read(folder.resolve("run"))) {
      assertThat(model.input().resize()).isEqualTo(resize);
    }
  }

  @Test
  void theConfigurationOfARunRepeatsItAndIsNoHindranceToOtherData() throws IOException {
    assertThat(train("run", " --epochs 1 --flip none --crop-scale 0.5 --resize 20").exitCode()).isZero();
    String config = "train --config " + folder.resolve("run/config.json") + " --out ";
    CommandLineRunner.succeed(config + folder.resolve("again"));
    assertThat(training("again")).isEqualTo(training("run"));
    assertThat(Files.readAllBytes(folder.resolve("again/model.safetensors")))
        .isEqualTo(Files.readAllBytes(folder.resolve("run/model.safetensors")));
    CommandLineRunner.succeed(config + folder.resolve("digits") + " --dataset digits");
    assertThat(training("digits").has("crop_scale") || training("digits").has("resize")).isFalse();
    CommandLineRunner.succeed(
        "train --config " + folder.resolve("digits/config.json") + " --out " + folder.resolve("back") + OPTIONS
            + " --data-dir " + images);
    assertThat(training("back").get("crop_scale").asDouble()).isEqualTo(0.08);
    assertThat(training("back").get("horizontal_flip").asBoolean()).isFalse();
  }

  private JsonNode training(String run) throws IOException {
    return new ObjectMapper().readTree(folder.resolve(run).resolve("config.json").toFile()).get("training");
  }

  /** Test images whose middle is of one colour and whose margin is of the other, which only the run's resize cuts off. */
  @Test
  void evaluationAndFeaturesCutTestImagesAsTheRunDid() throws IOException {
    assertThat(train("run", " --epochs 4 --resize 32").exitCode()).isZero();
    for (String color : new String[] {"red", "blue"}) {
      BufferedImage framed = new BufferedImage(64, 64, BufferedImage.TYPE_INT_RGB);
      Graphics2D graphics = framed.createGraphics();
      graphics.setColor(color.equals("red") ? new Color(20, 20, 200) : new Color(200, 20, 20));
      graphics.fillRect(0, 0, 64, 64);
      graphics.setColor(color.equals("red") ? new Color(200, 20, 20) : new Color(20, 20, 200));
      graphics.fillRect(15, 15, 34, 34);
      graphics.dispose();
      for (int i = 0; i < 24; i++) {
        ImageIO.write(framed, "png", images.resolve("val").resolve(color).resolve(i + ".png").toFile());
      }
    }
    String evaluate = "evaluate " + folder.resolve("run") + " --data-dir " + images + " --json";
    assertThat(CommandLineRunner.succeed(evaluate).lastEvent().get("test_error").asDouble()).isLessThan(10);
    double mirrored =
        CommandLineRunner.succeed(evaluate + " --tta mirror").lastEvent().get("tta").get("test_error").asDouble();
    assertThat(mirrored).isLessThan(10);
    assertThat(CommandLineRunner.succeed(evaluate + " --resize 16").lastEvent().get("test_error").asDouble())
        .isGreaterThan(40); // the frame is three quarters of the image
    byte[] recorded = features("recorded", "");
    assertThat(features("same", " --resize 32")).isEqualTo(recorded);
    assertThat(features("whole", " --resize 16")).isNotEqualTo(recorded);
    CommandLineRunner other =
        CommandLineRunner.line("train --epochs 5 --resize 16 --resume " + folder.resolve("run"));
    assertThat(other.exitCode()).isEqualTo(2);
    assertThat(other.err()).contains("resize from 32 to 16");
  }

  private byte[] features(String name, String options) throws IOException {
    Path out = folder.resolve(name + ".npy");
    CommandLineRunner.succeed(
        "embed " + folder.resolve("run") + " --dataset image-folder --data-dir " + images + " --out " + out + options);
    return Files.readAllBytes(out);
  }

  /** Older versions cropped and flipped as ever since, but recorded neither that nor the size before the centre was cut out. */
  @ParameterizedTest
  @ValueSource(strings = {"random", "alternating"})
  void aRunOfAnOlderVersionEndsWithTheSameBitsAndSaysWhatItDid(String flip) throws IOException {
    assertThat(train("whole", " --epochs 2 --flip " + flip).exitCode()).isZero();
    assertThat(train("older", " --epochs 1 --flip " + flip).exitCode()).isZero();
    Path older = folder.resolve("older");
    Files.writeString(older.resolve("config.json"), asOlder(Files.readString(older.resolve("config.json"))));
    asOlderCheckpoint(older.resolve("checkpoint.safetensors"));
    assertThat(training("older").get("horizontal_flip").asBoolean()).isFalse();
    assertThat(training("older").has("crop_scale") || training("older").has("resize")).isFalse();
    String resume = "train --resume " + older + " --epochs 2 --data-dir " + images;
    assertThat(CommandLineRunner.line(resume + " --flip none").err()).contains("horizontal_flip from true to false");
    CommandLineRunner.succeed(resume + " --flip " + flip + " --crop-scale 0.08 --resize 18");
    assertThat(training("older")).isEqualTo(training("whole"));
    assertThat(Files.readAllBytes(older.resolve("model.safetensors")))
        .isEqualTo(Files.readAllBytes(folder.resolve("whole/model.safetensors")));
  }

  private static String asOlder(String json) {
    return json.replaceAll(",\\s*\\\\?\"(crop_scale|resize)\\\\?\"\\s*:\\s*[0-9.]+", "")
        .replaceAll("(horizontal_flip\\\\?\"\\s*:\\s*)true", "$1false");
  }

  /** The header, after its length in eight bytes, has the configuration as text in text. */
  private static void asOlderCheckpoint(Path file) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    int length = (int) bytes.getLong();
    String header = new String(bytes.array(), 8, length, StandardCharsets.UTF_8);
    byte[] older = asOlder(header).getBytes(StandardCharsets.UTF_8);
    assertThat(older.length).isLessThan(length);
    Arrays.fill(bytes.array(), 8, 8 + length, (byte) ' ');
    System.arraycopy(older, 0, bytes.array(), 8, older.length);
    Files.write(file, bytes.array());
  }

  private CommandLineRunner train(String out, String options) {
    return CommandLineRunner.line("train --out " + folder.resolve(out) + " --data-dir " + images + OPTIONS + options);
  }
}
