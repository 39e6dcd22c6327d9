package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.TestImageFolder;
import dev.layerwise.safetensors.SafeTensors;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run whose images were changed does not go on as if they were the same. */
class ChangedImagesTest {
  @TempDir private Path folder;
  private Path images;
  private Path run;

  /** A run that ended after the third of the four batches of its first epoch. */
  @BeforeEach
  void trainInPart() throws IOException {
    images = TestImageFolder.redAndBlue(folder.resolve("images"));
    run = folder.resolve("run");
    StringWriter err = new StringWriter();
    int exitCode =
        Main.commandLine().setOut(new PrintWriter(new ClosedPipe())).setErr(new PrintWriter(err))
            .execute(options(run, "--checkpoint-every", "3steps"));
    assertThat(exitCode).as("without a reader a run ends at the first epoch's end: %s", err).isEqualTo(1);
    assertThat(SafeTensors.readMetadata(checkpoint()).get("progress")).contains("\"epoch\":1,\"images\":48,\"step\":3,");
  }

  private static final class ClosedPipe extends Writer {
    @Override
    public void write(char[] buffer, int offset, int length) throws IOException {
      throw new IOException("Broken pipe");
    }

    @Override
    public void flush() {}

    @Override
    public void close() {}
  }

  private String[] options(Path out, String... more) {
    String fixed =
        "train --dataset image-folder --image-size 16 --model mlp --num-hidden 16 --num-layers 2 --batch-size 16"
            + " --threads 1 --precision f32 --epochs 2 --data-dir " + images + " --out " + out;
    return Stream.concat(Stream.of(fixed.split(" ")), Stream.of(more)).toArray(String[]::new);
  }

  private Path checkpoint() {
    return run.resolve("checkpoint.safetensors");
  }

  private CommandLineRunner resume(Object... more) {
    return CommandLineRunner.run(
        Stream.concat(Stream.of("train", "--resume", run), Stream.of(more)).toArray());
  }

  private void assertRefused(String difference) throws IOException {
    byte[] before = Files.readAllBytes(checkpoint());
    CommandLineRunner refused = resume("--data-dir", images);
    assertThat(refused.exitCode()).isEqualTo(1);
    assertThat(refused.err())
        .contains(
            difference + "; put them back, or start a new run from its weights with --init " + run)
        .doesNotContain("\tat ");
    assertThat(Files.readAllBytes(checkpoint())).isEqualTo(before);
  }

  private void assertEndsAsIfNeverStopped(CommandLineRunner resumed) throws IOException {
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(CommandLineRunner.run((Object[]) options(folder.resolve("whole"))).exitCode()).isZero();
    assertThat(Files.readAllBytes(run.resolve("model.safetensors")))
        .isEqualTo(Files.readAllBytes(folder.resolve("whole/model.safetensors")));
  }

  @Test
  void whatWasAddedOrRemovedIsSaid() throws IOException {
    Path image = images.resolve("train/red/7.png");
    Path aside = Files.move(image, folder.resolve("7.png"));
    assertRefused("the training images are not those that the run was started with: 49 images then, 48 now");
    Files.move(aside, image);
    Path added = Files.copy(image, images.resolve("val/red/99.png"));
    assertRefused("the test images are not those that the run was started with: 48 images then, 49 now");
    Files.delete(added);
    assertEndsAsIfNeverStopped(resume("--data-dir", images));
  }

  @Test
  void whatWasRenamedMovedOrWrittenAnewIsSeen() throws IOException {
    String difference = "the training images are not those that the run was started with: 49 images then and now, but"
        + " not the same";
    Path image = images.resolve("train/red/7.png");
    for (String other : List.of("train/red/77.png", "train/blue/77.png")) {
      Path moved = Files.move(image, images.resolve(other));
      assertRefused(difference);
      Files.move(moved, image);
    }
    Files.write(image, new byte[] {0}, StandardOpenOption.APPEND);
    assertRefused(difference);
    CommandLineRunner fresh = CommandLineRunner.run((Object[]) options(folder.resolve("new"), "--init", run.toString()));
    assertThat(fresh.exitCode()).as("the advice works: %s", fresh.err()).isZero();
  }

  @Test
  void aCopyElsewhereIsTheSame() throws IOException {
    Path copy = folder.resolve("other/place");
    List<Path> all;
    try (Stream<Path> files = Files.walk(images)) {
      all = files.toList();
    }
    for (Path file : all) {
      Path target = copy.resolve(images.relativize(file));
      Files.createDirectories(target.getParent());
      Files.copy(file, target);
      Files.setLastModifiedTime(target, FileTime.fromMillis(0));
    }
    assertEndsAsIfNeverStopped(resume("--data-dir", copy));
  }

  @Test
  void checkpointsThatDoNotSayAreResumed() throws IOException {
    SafeTensors with = SafeTensors.read(checkpoint());
    Map<String, String> metadata = new LinkedHashMap<>(with.metadata());
    assertThat(metadata.remove("images")).contains("\"train\":{\"count\":49,\"sha256\":\"");
    new SafeTensors(metadata, with.tensors()).write(checkpoint());
    assertEndsAsIfNeverStopped(resume("--data-dir", images));
    assertThat(SafeTensors.readMetadata(checkpoint()))
        .as("from now on")
        .containsEntry("images", with.metadata().get("images"));
  }

  @Test
  void neitherIsAFinishedRunExtended() throws IOException {
    assertThat(resume("--data-dir", images).exitCode()).isZero();
    Files.delete(images.resolve("train/blue/3.png"));
    CommandLineRunner longer = resume("--data-dir", images, "--epochs", 3);
    assertThat(longer.exitCode()).isEqualTo(1);
    assertThat(longer.err()).contains("49 images then, 48 now");
  }
}
