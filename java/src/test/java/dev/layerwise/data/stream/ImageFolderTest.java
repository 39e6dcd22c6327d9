package dev.layerwise.data.stream;

import static dev.layerwise.data.stream.TestImages.bytes;
import static dev.layerwise.data.stream.TestImages.gradient;
import static dev.layerwise.data.stream.TestImages.plain;
import static dev.layerwise.data.stream.TestImages.write;
import static dev.layerwise.data.stream.TestImages.writeFolder;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.data.DataException;
import dev.layerwise.data.DataSet;
import dev.layerwise.data.EpochOrder;
import dev.layerwise.settings.Augmentation;
import dev.layerwise.settings.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class ImageFolderTest {
  private static final int SIZE = 16;
  private static final int IMAGE_BYTES = 3 * SIZE * SIZE;
  private static final Augmentation USUAL =
      Settings.with(Augmentation.NONE, "horizontal_flip", true, "crop_scale", 0.08);
  private static final Augmentation ALTERNATING = changed("flip", "alternating");

  @TempDir
  Path folder;

  private final List<String> skipped = new ArrayList<>();

  @Test
  void classesInTheOrderOfTheirNames() {
    writeFolder(folder, 4);
    write(folder.resolve("train/dog/notes.txt"), "not an image".getBytes());
    write(folder.resolve("train/dog/.hidden.png"), plain(4, 4, 0));
    write(folder.resolve("train/README"), new byte[1]);
    DataSet<StreamedImages> images = open(1, false);
    assertThat(images.train().classNames()).containsExactly("cat", "dog");
    assertThat(images.train().classes()).isEqualTo(2);
    assertThat(images.train().count()).isEqualTo(6);
    assertThat(images.test().count()).isEqualTo(2);
    assertThat(images.train().size()).isEqualTo(SIZE);
    assertThat(images.train().channels()).isEqualTo(3);
    assertThat(images.train().mean()).containsExactly(0.485f, 0.456f, 0.406f);
    assertThat(images.train().deviation()).containsExactly(0.229f, 0.224f, 0.225f);
    assertThat(new int[] {images.train().label(0), images.train().label(3), images.train().label(4),
        images.train().label(5)}).containsExactly(0, 0, 1, 1);
  }

  @Test
  void testImagesAreTheirCentres() {
    writeFolder(folder, 1);
    List<Batch> batches = all(open(2, false).test(), new int[] {1, 0}, 5, 0, 1);
    assertThat(batches).hasSize(1);
    assertThat(batches.get(0).labels()).containsExactly(1, 0);
    assertThat(batches.get(0).pixels()).hasSize(2 * IMAGE_BYTES);
    byte[] red = Arrays.copyOf(batches.get(0).pixels(), SIZE * SIZE);
    assertThat(red).containsOnly(255);
    // The gradient of 64×48 is resized to 24×18 and loses columns 4 to 19 on either side: symmetric about its centre.
    int left = batches.get(0).pixels()[IMAGE_BYTES] & 0xff;
    int right = batches.get(0).pixels()[IMAGE_BYTES + SIZE - 1] & 0xff;
    assertThat(left + right).isBetween(252 - 4, 252 + 4);
  }

  @Test
  void testFolderInsteadOfVal() throws IOException {
    writeFolder(folder, 1);
    Files.move(folder.resolve("val"), folder.resolve("test"));
    assertThat(open(1, false).test().count()).isEqualTo(2);
  }

  @Test
  void sameImagesWhateverTheThreadsAndBatches() {
    writeFolder(folder, 30);
    int[] order = EpochOrder.shuffled(32, 5, 1);
    byte[] expected = pixels(all(open(1, false).train(), order, 7, 5, 1));
    for (int threads : new int[] {2, 5}) {
      assertThat(Arrays.equals(pixels(all(open(threads, false).train(), order, 4, 5, 1)), expected)).isTrue();
    }
    int[] reversed = new int[32];
    for (int i = 0; i < 32; i++) {
      reversed[i] = order[31 - i];
    }
    byte[] backwards = pixels(all(open(2, false).train(), reversed, 32, 5, 1));
    assertThat(Arrays.copyOf(backwards, IMAGE_BYTES))
        .isEqualTo(Arrays.copyOfRange(expected, 31 * IMAGE_BYTES, 32 * IMAGE_BYTES));
    assertThat(pixels(all(open(1, false).train(), order, 7, 5, 2))).isNotEqualTo(expected);
    assertThat(pixels(all(open(1, false).train(), order, 7, 6, 1))).isNotEqualTo(expected);
  }

  @Test
  void halfOfTheTrainingImagesAreMirrored() {
    writeFolder(folder, 1);
    StreamedImages train = open(2, false).train();
    int mirrored = 0;
    int rounds = 400;
    for (int epoch = 0; epoch < rounds; epoch++) {
      try (BatchSource source = train.open(new int[] {0}, 1, 1, epoch, USUAL)) {
        byte[] pixels = source.next().pixels();
        mirrored += (pixels[0] & 0xff) > (pixels[SIZE - 1] & 0xff) ? 1 : 0;
      }
    }
    // Five standard deviations of a fair coin, √(400/4) = 10.
    assertThat(mirrored).isBetween(rounds / 2 - 50, rounds / 2 + 50);
  }

  @Test
  void alternatingFlipsShowEveryImageBothWaysInTwoEpochs() {
    writeFolder(folder, 100);
    StreamedImages train = open(2, false).train();
    int[] order = IntStream.range(0, 100).toArray();
    boolean[] first = mirrored(train, order, 1, ALTERNATING);
    boolean[] second = mirrored(train, order, 2, ALTERNATING);
    for (int image = 0; image < order.length; image++) {
      assertThat(second[image]).as("image %d", image).isNotEqualTo(first[image]);
    }
    assertThat(mirrored(train, order, 3, ALTERNATING)).isEqualTo(first);
    assertThat(mirrored(train, order, 3, USUAL)).isNotEqualTo(first);
    // Five standard deviations of a fair coin, √(100/4) = 5.
    assertThat(IntStream.range(0, 100).filter(image -> first[image]).count()).isBetween(25L, 75L);
    assertThat(mirrored(train.plain(), order, 2, ALTERNATING)).containsOnly(false);
  }

  private static Augmentation changed(String name, Object value) {
    return Settings.partial(Augmentation.class, name, value).over(USUAL);
  }

  @Test
  void withoutRandomCropsTrainingImagesAreTheirCentresAsTestImagesAre() {
    writeFolder(folder, 3);
    StreamedImages train = open(2, false).train();
    int[] order = {0, 1, 2, 3, 4};
    byte[] centres = pixels(all(train.plain(), order, 5, 1, 1));
    Augmentation still = Settings.with(changed("flip", "none"), "crop_scale", 0.0);
    for (int epoch = 1; epoch <= 3; epoch++) {
      assertThat(pixels(all(train, order, 5, 1, epoch, still))).isEqualTo(centres);
    }
    assertThat(pixels(all(train, order, 5, 1, 1, null))).isEqualTo(centres);
    assertThat(pixels(all(train, order, 5, 1, 1))).isNotEqualTo(centres);
    assertThat(pixels(all(train, order, 5, 1, 1, changed("crop_scale", 0.9)))).isNotEqualTo(centres);
    // Flips alone: images of epochs are the centre or its mirror image, and both occur.
    boolean[] first = mirrored(train, order, 1, changed("crop_scale", 0.0));
    assertThat(IntStream.range(2, 12).mapToObj(epoch -> mirrored(train, order, epoch, changed("crop_scale", 0.0))))
        .anyMatch(flips -> !Arrays.equals(flips, first));
  }

  @Test
  void imagesAreNeverMirroredIfTheyAreNotToBe() {
    writeFolder(folder, 1);
    StreamedImages train = open(2, false).train();
    for (int epoch = 1; epoch <= 50; epoch++) {
      assertThat(mirrored(train, new int[] {0}, epoch, changed("flip", "none"))).containsOnly(false);
    }
  }

  @Test
  void thatNothingWasRecordedMeansWhatOlderVersionsDid() {
    writeFolder(folder, 10);
    StreamedImages train = open(2, false).train();
    int[] order = IntStream.range(0, 10).toArray();
    for (Augmentation older : new Augmentation[] {Augmentation.NONE, Settings.with(Augmentation.NONE, "flip", "alternating")}) {
      Augmentation same = older.alternatesFlips() ? ALTERNATING : USUAL;
      assertThat(older.ofImageFiles()).isEqualTo(same);
      assertThat(pixels(all(train, order, 4, 1, 2, older))).isEqualTo(pixels(all(train, order, 4, 1, 2, same)));
    }
  }

  /** Of images that grow brighter from left to right. */
  private static boolean[] mirrored(StreamedImages images, int[] order, int epoch, Augmentation augmentation) {
    boolean[] mirrored = new boolean[order.length];
    try (BatchSource source = images.open(order, order.length, 1, epoch, augmentation)) {
      byte[] pixels = source.next().pixels();
      for (int i = 0; i < order.length; i++) {
        mirrored[i] = (pixels[i * IMAGE_BYTES] & 0xff) > (pixels[i * IMAGE_BYTES + SIZE - 1] & 0xff);
      }
    }
    return mirrored;
  }

  @Test
  void brokenImagesAreNamedOnceAndLeftOut() {
    writeFolder(folder, 3);
    byte[] jpeg = bytes(gradient(60, 60), "jpg");
    write(folder.resolve("train/cat/001.png"), Arrays.copyOf(jpeg, jpeg.length / 2));
    write(folder.resolve("train/dog/a.JPEG"), "nothing".getBytes());
    StreamedImages train = open(2, false).train();
    int[] order = {0, 1, 2, 3, 4};
    for (int epoch = 1; epoch <= 2; epoch++) {
      List<Batch> batches = all(train, order, 5, 0, epoch);
      assertThat(batches).hasSize(1);
      assertThat(batches.get(0).labels()).containsExactly(0, 0, 1);
      assertThat(batches.get(0).pixels()).hasSize(3 * IMAGE_BYTES);
      byte[] alone = pixels(all(train, new int[] {2}, 5, 0, epoch));
      assertThat(Arrays.copyOfRange(batches.get(0).pixels(), IMAGE_BYTES, 2 * IMAGE_BYTES)).isEqualTo(alone);
    }
    assertThat(skipped).hasSize(2);
    assertThat(skipped.get(0)).contains("001.png is damaged", "skipped");
    assertThat(skipped.get(1)).contains("a.JPEG is not an image");
    assertThat(train.skipped()).isEqualTo(2);
    assertThat(all(train, new int[] {1, 3, 0}, 2, 0, 3)).hasSize(1);
  }

  @Test
  void brokenImageEndsAStrictRun() {
    writeFolder(folder, 3);
    write(folder.resolve("train/cat/001.png"), "nothing".getBytes());
    assertThatThrownBy(() -> all(open(2, true).train(), new int[] {0, 1, 2}, 2, 0, 1))
        .isInstanceOf(DataException.class)
        .hasMessageContaining(folder.resolve("train/cat/001.png") + " is not an image, whatever its name says;");
  }

  @Test
  void slowConsumerDoesNotGrowTheQueue() throws InterruptedException {
    writeFolder(folder, 30);
    int[] order = new int[40_000];
    StreamOptions options = new StreamOptions(SIZE, 18, 2, 3, false, true, skipped::add);
    try (BatchSource source = ImageFolder.open(folder, options).train().open(order, 4, 0, 1, USUAL)) {
      for (int batch = 0; batch < 20; batch++) {
        assertThat(source.next().count()).isEqualTo(4);
        Thread.sleep(5);
        assertThat(source.pendingBatches()).isEqualTo(3);
      }
    }
  }

  @Test
  void memoryStaysBounded() throws InterruptedException {
    write(folder.resolve("train/cat/1.png"), plain(8, 8, 0x102030));
    write(folder.resolve("val/cat/1.png"), plain(8, 8, 0x102030));
    // All 60 batches of 5.7 MiB are 343 MiB. Three ahead and one taken are 23 MiB; a thread that enlarges an image has
    // a row of floats for each of its rows, under 1 MiB.
    int size = 1000;
    StreamOptions options = new StreamOptions(size, size, 2, 3, false, true, skipped::add);
    StreamedImages train = ImageFolder.open(folder, options).train();
    long before = usedMemory();
    long most = 0;
    int batches = 0;
    try (BatchSource source = train.open(new int[60 * 2], 2, 0, 1, USUAL)) {
      for (Batch batch = source.next(); batch != null; batch = source.next()) {
        if (batches++ % 20 == 0) {
          // Time for threads that would run ahead.
          Thread.sleep(300);
          most = Math.max(most, usedMemory());
        }
      }
    }
    assertThat(batches).isEqualTo(60);
    assertThat(most - before).isLessThan(60L << 20);
  }

  @Test
  void closingEndsTheThreads() throws InterruptedException {
    writeFolder(folder, 10);
    BatchSource source = open(3, false).train().open(new int[1000], 4, 0, 1, USUAL);
    source.next();
    source.close();
    assertThat(source.next()).isNull();
    for (int wait = 0; wait < 100 && imageThreads() > 0; wait++) {
      Thread.sleep(20);
    }
    assertThat(imageThreads()).isZero();
  }

  @Test
  void emptyClassFolder() throws IOException {
    writeFolder(folder, 1);
    Files.createDirectories(folder.resolve("train/bird"));
    assertFails(folder.resolve("train/bird") + " has no JPEG, PNG, GIF, BMP or TIFF files; remove");
  }

  @Test
  void classWithoutTestImagesIsAllowedButNotTheOtherWayRound() {
    writeFolder(folder, 1);
    write(folder.resolve("train/bird/1.png"), plain(4, 4, 0));
    assertThat(open(1, false).test().classNames()).containsExactly("bird", "cat", "dog");
    assertThat(open(1, false).test().label(0)).isEqualTo(1);
    write(folder.resolve("val/fish/1.png"), plain(4, 4, 0));
    assertFails(folder.resolve("val") + " has the class fish");
  }

  @Test
  void foldersThatAreMissing() throws IOException {
    assertFails(folder + " has no folder train");
    Files.createDirectories(folder.resolve("train"));
    assertFails(folder + " has no folder val or test");
    Files.createDirectories(folder.resolve("val"));
    assertFails("train has no folders");
  }

  @Test
  void impossibleOptions() {
    for (int[] sizes : new int[][] {{224, 200, 1}, {0, 200, 1}, {224, 256, 0}}) {
      assertThatThrownBy(() -> new StreamOptions(sizes[0], sizes[1], sizes[2], 1, false, true, skipped::add))
          .isInstanceOf(DataException.class);
    }
    writeFolder(folder, 1);
    assertThatThrownBy(() -> open(1, false).train().open(new int[1], 0, 0, 1, USUAL)).isInstanceOf(DataException.class);
    assertThatThrownBy(() -> open(1, false).train().open(new int[1], 1 << 30, 0, 1, USUAL)).isInstanceOf(DataException.class);
  }

  private void assertFails(String part) {
    assertThatThrownBy(() -> open(1, false)).isInstanceOf(DataException.class).message().contains(part).endsWith(".");
  }

  private DataSet<StreamedImages> open(int threads, boolean strict) {
    return ImageFolder.open(folder, new StreamOptions(SIZE, 18, threads, 2, strict, true, skipped::add));
  }

  private static List<Batch> all(StreamedImages images, int[] order, int batchSize, long seed, int epoch) {
    return all(images, order, batchSize, seed, epoch, USUAL);
  }

  private static List<Batch> all(
      StreamedImages images, int[] order, int batchSize, long seed, int epoch, Augmentation augmentation) {
    List<Batch> batches = new ArrayList<>();
    try (BatchSource source = images.open(order, batchSize, seed, epoch, augmentation)) {
      for (Batch batch = source.next(); batch != null; batch = source.next()) {
        batches.add(batch);
      }
    }
    return batches;
  }

  private static byte[] pixels(List<Batch> batches) {
    byte[] all = new byte[batches.stream().mapToInt(batch -> batch.pixels().length).sum()];
    int at = 0;
    for (Batch batch : batches) {
      System.arraycopy(batch.pixels(), 0, all, at, batch.pixels().length);
      at += batch.pixels().length;
    }
    return all;
  }

  private static long usedMemory() {
    System.gc();
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }

  private static long imageThreads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().equals("layerwise-images")).count();
  }
}
