package dev.layerwise.data;

import static dev.layerwise.data.SyntheticFiles.TEST_LABELS;
import static dev.layerwise.data.SyntheticFiles.TRAIN_IMAGES;
import static dev.layerwise.data.SyntheticFiles.TRAIN_LABELS;
import static dev.layerwise.data.SyntheticFiles.gzip;
import static dev.layerwise.data.SyntheticFiles.idxImages;
import static dev.layerwise.data.SyntheticFiles.idxLabels;
import static dev.layerwise.data.SyntheticFiles.write;
import static dev.layerwise.data.SyntheticFiles.xz;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Reads IDX files the way a user's data set is read, through {@link DataSets#load}. */
class IdxReaderTest {
  @TempDir
  Path folder;

  @BeforeEach
  void writeWholeDataSet() {
    SyntheticFiles.writeMnist(folder);
  }

  @Test
  void readsPlainFiles() {
    DataSet<ImageSet> set = DataSets.load("mnist", folder);
    assertThat(set.train().labels()).containsExactly(5, 0, 9);
    assertThat(set.test().labels()).containsExactly(1, 2);
    assertThat(set.train().count()).isEqualTo(3);
    assertThat(set.train().channels()).isEqualTo(1);
    assertThat(set.train().height()).isEqualTo(28);
    assertThat(set.train().width()).isEqualTo(28);
    assertThat(set.train().pixels().limit()).isEqualTo(3 * 784);
    assertThat(set.train().pixels().get(2 * 784 + 100)).isEqualTo((byte) (7 * 2 + 100));
  }

  @Test
  void readsPackedFiles() throws IOException {
    DataSet<ImageSet> plain = DataSets.load("mnist", folder);
    replacePacked(TRAIN_IMAGES, ".gz", gzip(Files.readAllBytes(folder.resolve(TRAIN_IMAGES))));
    replacePacked(TRAIN_LABELS, ".xz", xz(Files.readAllBytes(folder.resolve(TRAIN_LABELS))));
    DataSet<ImageSet> packed = DataSets.load("mnist", folder);
    assertThat(packed.train().pixels()).isEqualTo(plain.train().pixels());
    assertThat(packed.train().labels()).isEqualTo(plain.train().labels());
  }

  @Test
  void missingFile() throws IOException {
    Files.delete(folder.resolve(TEST_LABELS));
    assertFails("MNIST in " + folder + " is incomplete", TEST_LABELS, "download", "name its folder");
  }

  @Test
  void folderInsteadOfFile() throws IOException {
    Files.delete(folder.resolve(TRAIN_IMAGES));
    Files.createDirectory(folder.resolve(TRAIN_IMAGES));
    assertFails(TRAIN_IMAGES + " is a folder where a file is expected");
  }

  @Test
  void emptyFile() throws IOException {
    write(folder.resolve(TRAIN_IMAGES), new byte[0]);
    assertFails(TRAIN_IMAGES + " is empty");
    replacePacked(TRAIN_IMAGES, ".gz", gzip(new byte[0]));
    assertFails(TRAIN_IMAGES + ".gz is empty");
  }

  @Test
  void truncatedPlainFile() {
    byte[] whole = idxImages(3, 28, 28);
    for (int length : new int[] {1, 3, 4, 9, 15, 16, 17, whole.length - 1}) {
      write(folder.resolve(TRAIN_IMAGES), Arrays.copyOf(whole, length));
      assertFails(TRAIN_IMAGES + " is cut off: it ends after " + length + " bytes");
    }
  }

  @Test
  void truncatedLabels() {
    write(folder.resolve(TRAIN_LABELS), Arrays.copyOf(idxLabels(5, 0, 9), 10));
    assertFails(TRAIN_LABELS + " is cut off", "the 3 labels it announces");
  }

  @Test
  void truncatedGzipFile() throws IOException {
    byte[] packed = gzip(idxImages(3, 28, 28));
    for (int length : new int[] {5, 15, packed.length / 2, packed.length - 1}) {
      replacePacked(TRAIN_IMAGES, ".gz", Arrays.copyOf(packed, length));
      assertFails(TRAIN_IMAGES + ".gz is cut off: its packed content ends early");
    }
  }

  @Test
  void truncatedContentInsideGzip() throws IOException {
    replacePacked(TRAIN_IMAGES, ".gz", gzip(Arrays.copyOf(idxImages(3, 28, 28), 1000)));
    assertFails(TRAIN_IMAGES + ".gz is cut off: it ends after 1000 bytes");
  }

  @Test
  void damagedGzipFile() throws IOException {
    byte[] packed = gzip(idxImages(3, 28, 28));
    packed[packed.length - 6] ^= 1;  // the checksum
    replacePacked(TRAIN_IMAGES, ".gz", packed);
    assertFails(TRAIN_IMAGES + ".gz is damaged");
  }

  @Test
  void gzipNameWithoutGzipContent() throws IOException {
    replacePacked(TRAIN_IMAGES, ".gz", idxImages(3, 28, 28));
    assertFails(TRAIN_IMAGES + ".gz is not a gzip file");
    Files.delete(folder.resolve(TRAIN_IMAGES + ".gz"));
    write(folder.resolve(TRAIN_IMAGES + ".xz"), idxImages(3, 28, 28));
    assertFails(TRAIN_IMAGES + ".xz is not an xz file");
  }

  @Test
  void swappedFiles() {
    write(folder.resolve(TRAIN_IMAGES), idxLabels(5, 0, 9));
    assertFails(TRAIN_IMAGES + " is an IDX file of labels, where one of images is expected");
    write(folder.resolve(TRAIN_IMAGES), idxImages(3, 28, 28));
    write(folder.resolve(TRAIN_LABELS), idxImages(3, 28, 28));
    assertFails(TRAIN_LABELS + " is an IDX file of images, where one of labels is expected");
  }

  @Test
  void notAnIdxFile() {
    write(folder.resolve(TRAIN_IMAGES), "<html><body>404</body></html>".getBytes());
    assertFails(TRAIN_IMAGES + " is not an IDX file of images: it begins with 3c68746d instead of 00000803");
  }

  @Test
  void wrongImageSize() {
    write(folder.resolve(TRAIN_IMAGES), idxImages(3, 28, 27));
    assertFails(TRAIN_IMAGES + " holds images of 28×27 pixels, where MNIST has 28×28");
  }

  @Test
  void countsThatDiffer() {
    write(folder.resolve(TRAIN_LABELS), idxLabels(5, 0));
    assertFails("announces 3 images but", TRAIN_LABELS + " announces 2 labels");
  }

  @Test
  void noImages() {
    write(folder.resolve(TRAIN_IMAGES), idxImages(0, 28, 28));
    assertFails(TRAIN_IMAGES + " announces 0 images");
  }

  @Test
  void labelOutOfRange() {
    write(folder.resolve(TRAIN_LABELS), idxLabels(5, 0, 10));
    assertFails(TRAIN_LABELS + " gives image 2 the label 10, where MNIST has 0 to 9");
    write(folder.resolve(TRAIN_LABELS), idxLabels(255, 0, 1));
    assertFails(TRAIN_LABELS + " gives image 0 the label 255");
  }

  @Test
  void trailingBytes() throws IOException {
    byte[] whole = idxImages(3, 28, 28);
    write(folder.resolve(TRAIN_IMAGES), Arrays.copyOf(whole, whole.length + 1));
    assertFails(TRAIN_IMAGES + " goes on after the 3 images it announces");
    replacePacked(TRAIN_IMAGES, ".gz", gzip(Arrays.copyOf(whole, whole.length + 5)));
    assertFails(TRAIN_IMAGES + ".gz goes on after the 3 images it announces");
  }

  @Test
  void absurdHeaderTakesNoMemory() throws IOException {
    // 2 700 000 images are 2.1 GB: within an array's limit, beyond this test's heap if they were allocated.
    byte[] images = ByteBuffer.wrap(idxImages(3, 28, 28)).putInt(4, 2_700_000).array();
    byte[] labels = ByteBuffer.wrap(Arrays.copyOf(idxLabels(), 8 + 2_700_000)).putInt(4, 2_700_000).array();
    write(folder.resolve(TRAIN_IMAGES), images);
    write(folder.resolve(TRAIN_LABELS), labels);
    assertFails(TRAIN_IMAGES + " is cut off", "the 2700000 images it announces");
    replacePacked(TRAIN_IMAGES, ".gz", gzip(images));
    assertFails(TRAIN_IMAGES + ".gz is cut off", "the 2700000 images it announces");
    Files.delete(folder.resolve(TRAIN_IMAGES + ".gz"));
    write(folder.resolve(TRAIN_IMAGES), ByteBuffer.wrap(images).putInt(4, -1).array());
    assertFails(TRAIN_IMAGES + " announces 4294967295 images");
  }

  private void replacePacked(String name, String suffix, byte[] packed) throws IOException {
    Files.deleteIfExists(folder.resolve(name));
    write(folder.resolve(name + suffix), packed);
  }

  private void assertFails(String... parts) {
    assertThatThrownBy(() -> DataSets.load("mnist", folder)).isInstanceOf(DataException.class)
        .message().contains(parts).endsWith(".").doesNotContain("\n");
  }
}
