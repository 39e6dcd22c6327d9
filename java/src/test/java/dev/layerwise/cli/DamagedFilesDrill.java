package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.LayerwiseException;
import dev.layerwise.data.DataSets;
import dev.layerwise.data.SyntheticFiles;
import dev.layerwise.data.stream.BatchSource;
import dev.layerwise.data.stream.ImageFolder;
import dev.layerwise.data.stream.StreamOptions;
import dev.layerwise.settings.Augmentation;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import us.hebi.matlab.mat.format.Mat5;
import us.hebi.matlab.mat.format.Mat5File;
import us.hebi.matlab.mat.types.MatlabType;
import us.hebi.matlab.mat.types.Sinks;

/**
 * More than a thousand damaged files: each is either read or refused in one sentence, within 1 GiB of memory. Run by
 * ci/drills with a Java heap of half of that.
 */
class DamagedFilesDrill {
  private static final long MOST_KIB = 1 << 20;

  @TempDir private static Path folder;
  private static Path run;

  /** Work on one damaged file. */
  private interface Use {
    void on(Path file) throws IOException;
  }

  @BeforeAll
  static void train() {
    run = folder.resolve("run");
    CommandLineRunner trained = command("train --epochs 1 --num-hidden 16 --threads 1 --patience 5 --out " + run);
    assertThat(trained.exitCode()).as(trained.err()).isZero();
  }

  @AfterAll
  static void memoryStayedSmall() throws IOException {
    String peak = Files.readAllLines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith("VmHWM:")).findFirst().orElseThrow();
    assertThat(Long.parseLong(peak.replaceAll("\\D", ""))).as("peak of the process in KiB").isLessThan(MOST_KIB);
  }

  @Test
  void checkpoints() throws IOException {
    byte[] whole = Files.readAllBytes(run.resolve("checkpoint.safetensors"));
    Use resume = file -> {
      Path out = Files.createTempDirectory(folder, "resumed").resolve("run");
      refusedOrDone("train --time-limit 1s --resume " + file + " --out " + out);
    };
    drill(1, 50, whole, headerOf(whole), "x.safetensors", resume);
    drillDescriptions(11, 150, whole, resume);
  }

  @Test
  void models() throws IOException {
    byte[] whole = Files.readAllBytes(run.resolve("model.safetensors"));
    Use evaluate = file -> refusedOrDone("evaluate --threads 1 " + file);
    drill(2, 50, whole, headerOf(whole), "x.safetensors", evaluate);
    drillDescriptions(12, 100, whole, evaluate);
  }

  @Test
  void networks() throws IOException {
    CommandLineRunner described = command("networks --description --model resnet18");
    assertThat(described.exitCode()).as(described.err()).isZero();
    byte[] whole = described.out().getBytes(StandardCharsets.UTF_8);
    drill(3, 150, whole, whole.length, "x.json", file -> refusedOrDone("networks --model " + file));
  }

  @Test
  void idx() throws IOException {
    Path data = folder.resolve("mnist");
    SyntheticFiles.writeMnist(data, 20, 10);
    for (String name : new String[] {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}) {
      byte[] whole = Files.readAllBytes(data.resolve(name));
      drill(4 + name.length(), 75, whole, 20, "mnist/" + name, file -> DataSets.load("mnist", data));
      Files.write(data.resolve(name), whole);
    }
  }

  @Test
  void cifar() throws IOException {
    Path data = folder.resolve("cifar");
    byte[] whole = SyntheticFiles.cifar(new int[] {1, 2}, new int[] {3, 42}, new int[] {19, 99});
    SyntheticFiles.write(data.resolve("train.bin"), whole);
    SyntheticFiles.write(data.resolve("test.bin"), whole);
    drill(5, 150, whole, whole.length, "cifar/test.bin", file -> DataSets.load("cifar-100", data));
  }

  @Test
  void mat() throws IOException {
    Path data = folder.resolve("svhn");
    byte[] whole = svhn(2);
    for (String name : new String[] {"train", "extra", "test"}) {
      SyntheticFiles.write(data.resolve(name + "_32x32.mat"), whole);
    }
    drill(6, 150, whole, 400, "svhn/test_32x32.mat", file -> DataSets.load("svhn", data));
  }

  @Test
  void images() throws IOException {
    for (String format : new String[] {"png", "jpg", "gif", "bmp", "tif"}) {
      images(format);
    }
  }

  private static void images(String format) throws IOException {
    Path data = folder.resolve(format);
    byte[] whole = image(format);
    for (String name : new String[] {"train/cat/1", "train/dog/1", "val/cat/1", "val/dog/1"}) {
      SyntheticFiles.write(data.resolve(name + "." + format), whole);
    }
    StreamOptions options = new StreamOptions(16, 16, 1, 1, true, true, skipped -> {});
    drill(7 + format.hashCode(), 75, whole, 80, format + "/train/cat/1." + format, file -> {
      try (BatchSource batches = ImageFolder.open(data, options).train().open(new int[] {0, 1}, 2, 1, 1, Augmentation.NONE)) {
        batches.next();
      }
    });
  }

  private static void drill(long seed, int count, byte[] whole, int textBytes, String name, Use use)
      throws IOException {
    Mutations mutations = new Mutations(seed);
    drill(seed, count, name, () -> mutations.of(whole, textBytes), use);
  }

  /** Files that are whole but for the numbers in their descriptions. */
  private static void drillDescriptions(long seed, int count, byte[] whole, Use use) throws IOException {
    Mutations mutations = new Mutations(seed);
    byte[] header = Arrays.copyOfRange(whole, 8, headerOf(whole));
    int metadata = new String(header, StandardCharsets.ISO_8859_1).lastIndexOf("\"},\"");
    drill(seed, count, "x.safetensors", () -> {
      byte[] changed = mutations.ofNumbers(header, metadata);
      return ByteBuffer.allocate(8 + changed.length + whole.length - headerOf(whole))
          .order(ByteOrder.LITTLE_ENDIAN).putLong(changed.length).put(changed)
          .put(whole, headerOf(whole), whole.length - headerOf(whole)).array();
    }, use);
  }

  private static void drill(long seed, int count, String name, Supplier<byte[]> damage, Use use)
      throws IOException {
    int refused = 0;
    for (int i = 0; i < count; i++) {
      byte[] damaged = damage.get();
      Path file = Files.write(folder.resolve(name), damaged);
      try {
        use.on(file);
      } catch (LayerwiseException e) {
        refused++;
        assertThat(e.getMessage()).isNotBlank();
      } catch (Throwable e) {
        Path kept = Files.write(Path.of("target", "damaged-" + seed + "-" + i + "-" + file.getFileName()), damaged);
        throw new AssertionError(kept + " is not refused as it should be: " + e, e);
      }
    }
    System.out.printf("%s: %d damaged files, %d refused, the others read%n", name, count, refused);
  }

  /** One sentence and exit code 1 or 2, or success. */
  private static void refusedOrDone(String words) {
    CommandLineRunner result = command(words);
    assertThat(result.exitCode()).isBetween(0, 2);
    assertThat(result.err()).doesNotContain("internal error").doesNotContain("\tat ");
    if (result.exitCode() != 0) {
      assertThat(result.err()).contains("layerwise: ");
      throw new LayerwiseException(result.err());
    }
  }

  private static CommandLineRunner command(String words) {
    return CommandLineRunner.run((Object[]) words.split(" "));
  }

  /** Where a file's tensors begin. */
  private static int headerOf(byte[] safetensors) {
    return 8 + (int) ByteBuffer.wrap(safetensors).order(ByteOrder.LITTLE_ENDIAN).getLong();
  }

  private static byte[] svhn(int count) throws IOException {
    Mat5File file = Mat5.newMatFile();
    file.addArray("X", Mat5.newMatrix(new int[] {32, 32, 3, count}, MatlabType.UInt8));
    var labels = Mat5.newMatrix(count, 1, MatlabType.UInt8);
    IntStream.range(0, count).forEach(i -> labels.setInt(i, 1 + i));
    file.addArray("y", labels);
    ByteBuffer buffer = ByteBuffer.allocate((int) file.getUncompressedSerializedSize() + 10_000);
    Mat5.newWriter(Sinks.wrap(buffer)).setDeflateLevel(0).writeMat(file);
    return Arrays.copyOf(buffer.array(), buffer.position());
  }

  private static byte[] image(String format) throws IOException {
    BufferedImage image = new BufferedImage(40, 30, BufferedImage.TYPE_INT_RGB);
    IntStream.range(0, 1200).forEach(i -> image.setRGB(i % 40, i / 40, i * 77_773));
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(image, format, out);
    return out.toByteArray();
  }
}
