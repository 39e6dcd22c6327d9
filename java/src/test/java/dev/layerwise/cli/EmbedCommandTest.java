package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.TestImageFolder;
import dev.layerwise.TestPng;
import dev.layerwise.api.Model;
import dev.layerwise.data.ImageSet;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code embed}: NumPy's format, the rows in the order of the images, labels and names beside them. */
class EmbedCommandTest {
  @TempDir private static Path folder;
  private static Path run;

  @BeforeAll
  static void train() {
    run = folder.resolve("run");
    CommandLineRunner training =
        CommandLineRunner.run(
            "train", "--model", "vgg6a", "--feat-mult", 0.0625, "--num-hidden", 16, "--num-layers", 1, "--epochs", 1,
            "--threads", 2,
            "--out", run);
    assertThat(training.exitCode()).as(training.err()).isZero();
  }

  /** The header as text, and the elements. */
  private record Npy(String header, ByteBuffer elements) {
    static Npy read(Path file) throws IOException {
      ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
      byte[] magic = new byte[8];
      bytes.get(magic);
      assertThat(magic).isEqualTo(new byte[] {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0});
      byte[] header = new byte[bytes.getShort()];
      bytes.get(header);
      assertThat((10 + header.length) % 64).isZero();
      return new Npy(new String(header, StandardCharsets.US_ASCII), bytes.slice().order(ByteOrder.LITTLE_ENDIAN));
    }

    float[] floats() {
      float[] values = new float[elements.remaining() / 4];
      elements.asFloatBuffer().get(values);
      return values;
    }

    int[] ints() {
      int[] values = new int[elements.remaining() / 4];
      elements.asIntBuffer().get(values);
      return values;
    }
  }

  @Test
  void aDataSetWithItsLabels() throws IOException {
    Path out = folder.resolve("digits.npy");
    CommandLineRunner embedding =
        CommandLineRunner.run(
            "embed", run, "--dataset", "digits", "--layer", 2, "--out", out, "--batch-size", 100, "--json");
    assertThat(embedding.exitCode()).as(embedding.err()).isZero();
    assertThat(embedding.lastEvent().get("output").toString()).isEqualTo("[16,2,2]");
    ImageSet digits = DigitImages.test();
    Npy features = Npy.read(out);
    assertThat(features.header()).startsWith("{'descr': '<f4', 'fortran_order': False, 'shape': (360, 64), }");
    float[] values = features.floats();
    try (Model model = Model.open(run)) {
      float[][] rows = model.features(digits.pixels(100, 200), 100, "2");
      for (int i = 0; i < 100; i++) {
        assertThat(Arrays.copyOfRange(values, (100 + i) * 64, (101 + i) * 64)).isEqualTo(rows[i]);
      }
    }
    Npy labels = Npy.read(folder.resolve("digits.labels.npy"));
    assertThat(labels.header()).startsWith("{'descr': '<i4', 'fortran_order': False, 'shape': (360,), }");
    assertThat(labels.ints()).isEqualTo(digits.labels());

    CommandLineRunner training =
        CommandLineRunner.run("embed", run, "--dataset", "digits", "--split", "train", "--out", out, "--json");
    assertThat(training.lastEvent().get("images").asInt()).isEqualTo(1437);
    assertThat(training.lastEvent().get("layer").asText()).isEqualTo("classifier.layers.0");
    assertThat(Npy.read(folder.resolve("digits.labels.npy")).ints()).hasSize(1437);
  }

  @Test
  void imageFilesWithTheirNames() throws IOException {
    Path images = DigitImages.write(folder.resolve("images"), 5);
    Files.writeString(images.resolve("0002-x.png"), "no image");
    Path out = folder.resolve("files.npy");
    CommandLineRunner embedding = CommandLineRunner.run("embed", run, images, "--out", out, "--batch-size", 2);
    assertThat(embedding.exitCode()).isEqualTo(1); // one could not be used
    assertThat(embedding.err()).contains("0002-x.png is not an image");
    assertThat(Npy.read(out).header()).contains("'shape': (5, 16)");
    assertThat(Files.readAllLines(folder.resolve("files.files.txt")))
        .hasSize(5)
        .noneMatch(name -> name.endsWith("x.png"));
    assertThat(folder.resolve("files.labels.npy")).doesNotExist();
  }

  @Test
  void labelsAndNamesOfAnEarlierMatrixGo() throws IOException {
    Path images = DigitImages.write(folder.resolve("twice-images"), 2);
    Path out = folder.resolve("twice.npy");
    Path labels = folder.resolve("twice.labels.npy");
    Path files = folder.resolve("twice.files.txt");
    Path other = Files.writeString(folder.resolve("twice.txt"), "mine");
    assertThat(CommandLineRunner.run("embed", run, images, "--out", out).exitCode()).isZero();
    assertThat(files).exists();
    assertThat(CommandLineRunner.run("embed", run, "--dataset", "digits", "--out", out).exitCode()).isZero();
    assertThat(files).doesNotExist();
    assertThat(labels).exists();
    assertThat(CommandLineRunner.run("embed", run, folder.resolve("none.png"), "--out", out).exitCode()).isEqualTo(1);
    assertThat(labels).as("the matrix is still the earlier one").exists();
    assertThat(CommandLineRunner.run("embed", run, images, "--out", out).exitCode()).isZero();
    assertThat(labels).doesNotExist();
    assertThat(files).exists();
    assertThat(other).hasContent("mine");
  }

  @Test
  void aFolderOfClassesIsReadWithoutAugmentation() throws IOException {
    Path images = TestImageFolder.redAndBlue(folder.resolve("colours"));
    Path model = folder.resolve("colour-run");
    String options =
        "--dataset image-folder --image-size 16 --model mlp --num-hidden 8 --epochs 1 --threads 1 --out " + model
            + " --data-dir " + images;
    assertThat(CommandLineRunner.line("train " + options).exitCode()).isZero();
    Path out = folder.resolve("colours.npy");
    Object[] embed = {
      "embed", model, "--dataset", "image-folder", "--data-dir", images, "--split", "train", "--out", out
    };
    CommandLineRunner embedding = CommandLineRunner.run(embed);
    assertThat(embedding.exitCode()).as(embedding.err()).isZero();
    assertThat(embedding.err()).contains("1 image could not be read");
    float[] first = Npy.read(out).floats();
    assertThat(Npy.read(folder.resolve("colours.labels.npy")).ints()).hasSize(48);
    // The same files, read as single images.
    CommandLineRunner.run("embed", model, images.resolve("train/blue"), "--out", folder.resolve("blue.npy"));
    float[] single = Npy.read(folder.resolve("blue.npy")).floats();
    assertThat(Arrays.copyOf(first, single.length)).isEqualTo(single);
  }

  @Test
  void photosAreTurnedUnlessThatIsNotWanted() throws IOException {
    BufferedImage halves = new BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < 8; y++) {
      for (int x = 0; x < 8; x++) {
        halves.setRGB(x, y, y < 4 ? 0xffffff : 0);
      }
    }
    Path data = folder.resolve("photos");
    for (String part : new String[] {"train", "val"}) {
      Path photos = Files.createDirectories(data.resolve(part).resolve("photo"));
      Files.write(photos.resolve("1.png"), TestPng.onItsSide(halves));
      Path upright = Files.createDirectories(data.resolve(part).resolve("upright"));
      ImageIO.write(halves, "png", upright.resolve("1.png").toFile());
    }
    Path model = folder.resolve("photo-run");
    String train =
        "train --dataset image-folder --image-size 8 --model mlp --num-hidden 8 --epochs 1 --threads 1 --out " + model
            + " --data-dir " + data;
    assertThat(CommandLineRunner.run((Object[]) train.split(" ")).exitCode()).isZero();
    Path out = folder.resolve("photos.npy");
    String fromFolder = "embed " + model + " --dataset image-folder --data-dir " + data + " --out " + out;
    String fromFiles = "embed " + model + " " + data.resolve("val") + " --out " + out;
    for (String command : new String[] {fromFolder, fromFiles}) {
      float[] turned = embedded(command, out);
      assertThat(Arrays.copyOf(turned, 8)).isEqualTo(Arrays.copyOfRange(turned, 8, 16));
      float[] stored = embedded(command + " --no-exif", out);
      assertThat(Arrays.copyOfRange(stored, 8, 16)).isEqualTo(Arrays.copyOfRange(turned, 8, 16));
      assertThat(Arrays.copyOf(stored, 8)).isNotEqualTo(Arrays.copyOf(turned, 8));
    }
  }

  private static float[] embedded(String command, Path out) throws IOException {
    CommandLineRunner embedding = CommandLineRunner.run((Object[]) command.split(" "));
    assertThat(embedding.exitCode()).as(embedding.err()).isZero();
    return Npy.read(out).floats();
  }

  @Test
  void numpyReadsThem() throws IOException, InterruptedException {
    Assumptions.assumeTrue(runs("import numpy"), "python3 with numpy is not installed");
    Path out = folder.resolve("numpy.npy");
    CommandLineRunner.run("embed", run, "--dataset", "digits", "--out", out);
    assertThat(
            runs(
                "import numpy as np; x = np.load('" + out + "'); y = np.load('" + folder.resolve("numpy.labels.npy")
                    + "'); assert x.shape == (360, 16) and x.dtype == np.float32, (x.shape, x.dtype);"
                    + " assert y.shape == (360,) and y.dtype == np.int32 and y.max() == 9 and np.isfinite(x).all() and x.std() > 0"))
        .isTrue();
  }

  private static boolean runs(String program) throws IOException, InterruptedException {
    try {
      return new ProcessBuilder("python3", "-c", program).inheritIO().start().waitFor() == 0;
    } catch (IOException e) {
      return false;
    }
  }

  @Test
  void wrongUsage() {
    Path out = folder.resolve("none.npy");
    assertThat(CommandLineRunner.run("embed", run, "--out", out).exitCode()).isEqualTo(2);
    assertThat(CommandLineRunner.run("embed", run, run, "--dataset", "digits", "--out", out).exitCode()).isEqualTo(2);
    CommandLineRunner text = CommandLineRunner.run("embed", run, "--dataset", "digits", "--out", "x.txt");
    assertThat(text.err()).contains("end in .npy");
    assertThat(CommandLineRunner.run("embed", run, run, "--split", "test", "--out", out).exitCode()).isEqualTo(2);
    CommandLineRunner layer =
        CommandLineRunner.run("embed", run, "--dataset", "digits", "--layer", 9, "--out", out);
    assertThat(layer.exitCode()).isEqualTo(2);
    assertThat(layer.err()).contains("--layer: the model has no layer '9'");
    CommandLineRunner nothing = CommandLineRunner.run("embed", run, folder.resolve("none.png"), "--out", out);
    assertThat(nothing.exitCode()).isEqualTo(1);
    assertThat(nothing.err()).contains("none of the images could be read");
    assertThat(out).doesNotExist();
  }
}
