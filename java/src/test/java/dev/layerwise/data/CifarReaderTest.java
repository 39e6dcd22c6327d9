package dev.layerwise.data;

import static dev.layerwise.data.SyntheticFiles.CIFAR_IMAGE_BYTES;
import static dev.layerwise.data.SyntheticFiles.cifar;
import static dev.layerwise.data.SyntheticFiles.gzip;
import static dev.layerwise.data.SyntheticFiles.tar;
import static dev.layerwise.data.SyntheticFiles.write;
import static dev.layerwise.data.SyntheticFiles.xz;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Reads CIFAR files the way a user's data set is read, through {@link DataSets#load}. */
class CifarReaderTest {
  private static final byte[] TRAIN_100 = cifar(new int[] {3, 42}, new int[] {0, 99}, new int[] {19, 0});
  private static final byte[] TEST_100 = cifar(new int[] {1, 7}, new int[] {2, 8});

  @TempDir
  Path folder;

  @Test
  void cifar10BatchesAreReadInOrder() {
    writeCifar10();
    DataSet<ImageSet> set = DataSets.load("cifar-10", folder);
    assertThat(set.train().labels()).containsExactly(1, 2, 3, 4, 5, 9);
    assertThat(set.test().labels()).containsExactly(0);
    assertThat(set.train().channels()).isEqualTo(3);
    assertThat(set.train().height()).isEqualTo(32);
    assertThat(set.train().width()).isEqualTo(32);
    assertThat(set.train().pixels().limit()).isEqualTo(6 * CIFAR_IMAGE_BYTES);
    // The last record is the second of its file.
    assertThat(set.train().pixels().get(5 * CIFAR_IMAGE_BYTES + 40)).isEqualTo((byte) (11 + 40));
  }

  @Test
  void cifar100KeepsTheFineLabel() {
    write(folder.resolve("train.bin"), TRAIN_100);
    write(folder.resolve("test.bin.xz"), xz(TEST_100));
    DataSet<ImageSet> set = DataSets.load("cifar-100", folder);
    assertThat(set.train().labels()).containsExactly(42, 99, 0);
    assertThat(set.test().labels()).containsExactly(7, 8);
    assertThat(set.train().pixels().get(CIFAR_IMAGE_BYTES)).isEqualTo((byte) 11);
  }

  @Test
  void archiveIsReadWhereItLies() {
    writeCifar10();
    DataSet<ImageSet> loose = DataSets.load("cifar-10", folder);
    Path other = folder.resolve("archive");
    write(other.resolve("cifar-10-binary.tar.gz"), gzip(tar(cifar10Archive())));
    DataSet<ImageSet> packed = DataSets.load("cifar-10", other);
    assertThat(DataSets.locate("cifar-10", other)).contains(other.resolve("cifar-10-binary.tar.gz"));
    assertThat(packed.train().labels()).isEqualTo(loose.train().labels());
    assertThat(packed.train().pixels()).isEqualTo(loose.train().pixels());
    assertThat(packed.test().labels()).isEqualTo(loose.test().labels());
    assertThat(other).isDirectoryContaining(path -> path.endsWith("cifar-10-binary.tar.gz"));
    assertThat(other.toFile().list()).hasSize(1);
  }

  @Test
  void officialSubfolderIsFound() {
    write(folder.resolve("cifar-100-binary/train.bin"), TRAIN_100);
    write(folder.resolve("cifar-100-binary/test.bin"), TEST_100);
    assertThat(DataSets.load("cifar-100", folder).train().count()).isEqualTo(3);
    assertThat(DataSets.load("cifar-100", folder.resolve("cifar-100-binary")).train().count()).isEqualTo(3);
  }

  @Test
  void missingFile() throws IOException {
    writeCifar10();
    Files.delete(folder.resolve("data_batch_4.bin"));
    assertFails("cifar-10", "CIFAR-10 in " + folder + " is incomplete, missing data_batch_4.bin", "download");
  }

  @Test
  void fileMissingInArchive() {
    Map<String, byte[]> files = cifar10Archive();
    files.remove("cifar-10-batches-bin/data_batch_2.bin");
    write(folder.resolve("cifar-10-binary.tar.gz"), gzip(tar(files)));
    assertFails("cifar-10", "cifar-10-binary.tar.gz lacks data_batch_2.bin");
  }

  @Test
  void folderInsteadOfFile() throws IOException {
    writeCifar10();
    Files.delete(folder.resolve("test_batch.bin"));
    Files.createDirectory(folder.resolve("test_batch.bin"));
    assertFails("cifar-10", "test_batch.bin is a folder where a file is expected");
  }

  @Test
  void emptyFile() {
    writeCifar100(TRAIN_100, new byte[0]);
    assertFails("cifar-100", "test.bin is empty");
  }

  @Test
  void truncatedFile() {
    writeCifar100(Arrays.copyOf(TRAIN_100, 5000), TEST_100);
    assertFails("cifar-100", "train.bin is cut off or not a file of CIFAR-100: after 1 records of 3074 bytes, 1926");
  }

  @Test
  void truncatedXzFile() throws IOException {
    writeCifar100(TRAIN_100, TEST_100);
    Files.delete(folder.resolve("train.bin"));
    byte[] packed = xz(TRAIN_100);
    for (int length : new int[] {1, 10, packed.length / 2, packed.length - 1}) {
      write(folder.resolve("train.bin.xz"), Arrays.copyOf(packed, length));
      assertFails("cifar-100", "train.bin.xz is cut off: its packed content ends early");
    }
  }

  @Test
  void truncatedArchive() {
    byte[] packed = gzip(tar(cifar10Archive()));
    for (int length : new int[] {5, 100, packed.length / 2, packed.length - 1}) {
      write(folder.resolve("cifar-10-binary.tar.gz"), Arrays.copyOf(packed, length));
      assertFails("cifar-10", "cifar-10-binary.tar.gz", " is cut off: its packed content ends early");
    }
  }

  @Test
  void truncatedTarInsideWholeGzip() {
    write(folder.resolve("cifar-10-binary.tar.gz"), gzip(Arrays.copyOf(tar(cifar10Archive()), 2000)));
    assertFails("cifar-10", "cifar-10-binary.tar.gz (data_batch_5.bin) is damaged");
  }

  @Test
  void mutatedArchiveGivesDataExceptionOrData() throws IOException {
    byte[] archive = tar(cifar10Archive());
    Random random = new Random(20);
    for (int round = 0; round < 300; round++) {
      byte[] mutated = archive.clone();
      for (int change = 0; change < 4; change++) {
        // Headers of 512 bytes begin at multiples of 512; half of the changes go to the first one.
        mutated[random.nextInt(random.nextBoolean() ? 512 : mutated.length)] = (byte) random.nextInt(256);
      }
      write(folder.resolve("cifar-10-binary.tar.gz"), gzip(mutated));
      try {
        DataSets.load("cifar-10", folder);
      } catch (DataException expected) {
        assertThat(expected.getMessage()).contains("cifar-10-binary.tar.gz");
      }
    }
  }

  @Test
  void moreImagesThanTheOfficialFile() {
    int[][] labels = new int[10_001][];
    Arrays.fill(labels, new int[] {1});
    writeCifar10();
    write(folder.resolve("data_batch_3.bin"), cifar(labels));
    assertFails("cifar-10", "data_batch_3.bin holds more than the 10000 images");
  }

  @Test
  void fullFileOfTheOfficialSize() {
    int[][] labels = new int[10_000][];
    Arrays.fill(labels, new int[] {1});
    writeCifar10();
    write(folder.resolve("data_batch_3.bin.xz"), xz(new byte[] {1}));  // the plain file goes first
    write(folder.resolve("data_batch_3.bin"), cifar(labels));
    assertThatCode(() -> DataSets.load("cifar-10", folder)).doesNotThrowAnyException();
  }

  @Test
  void labelOutOfRange() {
    writeCifar100(cifar(new int[] {3, 42}, new int[] {0, 100}), TEST_100);
    assertFails("cifar-100", "train.bin gives image 1 the label 100, where CIFAR-100 has 0 to 99");
    writeCifar100(cifar(new int[] {20, 42}), TEST_100);
    assertFails("cifar-100", "train.bin gives image 0 the coarse label 20");
    writeCifar10();
    write(folder.resolve("data_batch_1.bin"), cifar(new int[] {10}));
    assertFails("cifar-10", "data_batch_1.bin gives image 0 the label 10, where CIFAR-10 has 0 to 9");
  }

  @Test
  void damagedChecksumOfTheArchive() throws IOException {
    byte[] packed = gzip(tar(cifar10Archive()));
    packed[packed.length - 6] ^= 1;
    assertThatThrownBy(() -> new GZIPInputStream(new ByteArrayInputStream(packed)).readAllBytes())
        .isInstanceOf(IOException.class);
    write(folder.resolve("cifar-10-binary.tar.gz"), packed);
    assertFails("cifar-10", "cifar-10-binary.tar.gz", " is damaged");
  }

  private void writeCifar10() {
    cifar10Archive().forEach((name, content) -> write(folder.resolve(Path.of(name).getFileName()), content));
  }

  private void writeCifar100(byte[] train, byte[] test) {
    write(folder.resolve("train.bin"), train);
    write(folder.resolve("test.bin"), test);
  }

  /** One image per file, two in the fifth; files out of order and in company, as in the official archive. */
  private static Map<String, byte[]> cifar10Archive() {
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put("cifar-10-batches-bin/data_batch_5.bin", cifar(new int[] {5}, new int[] {9}));
    files.put("cifar-10-batches-bin/batches.meta.txt", "airplane\n".getBytes());
    files.put("cifar-10-batches-bin/test_batch.bin", cifar(new int[] {0}));
    for (int batch : new int[] {1, 4, 3, 2}) {
      files.put("cifar-10-batches-bin/data_batch_" + batch + ".bin", cifar(new int[] {batch}));
    }
    return files;
  }

  private void assertFails(String name, String... parts) {
    assertThatThrownBy(() -> DataSets.load(name, folder)).isInstanceOf(DataException.class)
        .message().contains(parts).endsWith(".").doesNotContain("\n");
  }
}
