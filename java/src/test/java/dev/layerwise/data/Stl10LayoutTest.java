package dev.layerwise.data;

import static dev.layerwise.data.SyntheticFiles.gzip;
import static dev.layerwise.data.SyntheticFiles.tar;
import static dev.layerwise.data.SyntheticFiles.write;
import static dev.layerwise.data.SyntheticFiles.xz;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class Stl10LayoutTest {
  private static final int SIDE = 96;
  private static final int IMAGE_BYTES = 3 * SIDE * SIDE;

  @TempDir
  Path folder;

  @BeforeEach
  void writeWholeDataSet() {
    files().forEach((name, content) -> write(folder.resolve(name), content));
  }

  @Test
  void columnsAndLabels() {
    DataSet<ImageSet> set = DataSets.load("stl-10", folder);
    assertThat(set.train().labels()).containsExactly(0, 9, 2);
    assertThat(set.test().labels()).containsExactly(4);
    assertThat(set.train().count()).isEqualTo(3);
    for (int channel = 0; channel < 3; channel++) {
      for (int row = 0; row < SIDE; row++) {
        for (int column = 0; column < SIDE; column++) {
          assertThat(set.train().pixels().get(2 * IMAGE_BYTES + (channel * SIDE + row) * SIDE + column) & 0xff)
              .isEqualTo(level(2, channel, row, column));
        }
      }
    }
  }

  @Test
  void officialSubfolderAndPackedFiles() throws IOException {
    for (String name : files().keySet()) {
      Files.delete(folder.resolve(name));
    }
    Map<String, byte[]> files = files();
    write(folder.resolve("stl10_binary/train_X.bin"), files.get("train_X.bin"));
    write(folder.resolve("stl10_binary/train_y.bin.gz"), gzip(files.get("train_y.bin")));
    write(folder.resolve("stl10_binary/test_X.bin.xz"), xz(files.get("test_X.bin")));
    write(folder.resolve("stl10_binary/test_y.bin"), files.get("test_y.bin"));
    assertThat(DataSets.locate("stl-10", folder)).contains(folder.resolve("stl10_binary"));
    assertThat(DataSets.load("stl-10", folder).train().labels()).containsExactly(0, 9, 2);
  }

  @Test
  void archiveIsReadWhereItLies() {
    DataSet<ImageSet> loose = DataSets.load("stl-10", folder);
    Map<String, byte[]> members = new LinkedHashMap<>();
    members.put("stl10_binary/unlabeled_X.bin", new byte[7]);
    files().forEach((name, content) -> members.put("stl10_binary/" + name, content));
    Path other = folder.resolve("packed");
    write(other.resolve("stl10_binary.tar.gz"), gzip(tar(members)));
    DataSet<ImageSet> packed = DataSets.load("stl-10", other);
    assertThat(packed.train().pixels()).isEqualTo(loose.train().pixels());
    assertThat(packed.test().labels()).isEqualTo(loose.test().labels());
    members.remove("stl10_binary/test_y.bin");
    write(other.resolve("stl10_binary.tar.gz"), gzip(tar(members)));
    assertThatThrownBy(() -> DataSets.load("stl-10", other)).hasMessageContaining("lacks test_y.bin");
    members.put("stl10_binary/test_y.bin", new byte[] {11});
    write(other.resolve("stl10_binary.tar.gz"), gzip(tar(members)));
    assertThatThrownBy(() -> DataSets.load("stl-10", other))
        .hasMessageContaining("stl10_binary.tar.gz (test_y.bin) gives image 0 the label 11");
  }

  @Test
  void missingFile() throws IOException {
    Files.delete(folder.resolve("train_y.bin"));
    assertFails("STL-10 in " + folder + " is incomplete, missing train_y.bin");
  }

  @Test
  void truncatedAndEmptyFiles() {
    write(folder.resolve("train_X.bin"), Arrays.copyOf(files().get("train_X.bin"), IMAGE_BYTES + 5));
    assertFails("train_X.bin is cut off or not a file of STL-10: it has 27653 bytes");
    write(folder.resolve("train_X.bin"), new byte[0]);
    assertFails("train_X.bin is empty");
  }

  @Test
  void filesThatDoNotBelongTogether() {
    write(folder.resolve("train_y.bin"), new byte[] {1, 2});
    assertFails("train_X.bin holds 3 images but " + folder.resolve("train_y.bin") + " 2 labels");
    write(folder.resolve("train_y.bin"), new byte[5001]);
    assertFails("train_y.bin holds more than the 5000 labels");
  }

  @Test
  void labelsOutOfRange() {
    for (int label : new int[] {0, 11, 255}) {
      write(folder.resolve("test_y.bin"), new byte[] {(byte) label});
      assertFails("test_y.bin gives image 0 the label " + label + ", where STL-10 has 1 to 10");
    }
  }

  private void assertFails(String part) {
    assertThatThrownBy(() -> DataSets.load("stl-10", folder)).isInstanceOf(DataException.class)
        .message().contains(part).endsWith(".");
  }

  private static int level(int image, int channel, int row, int column) {
    return (40 * image + 64 * channel + 3 * row + column) & 0xff;
  }

  private static Map<String, byte[]> files() {
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put("test_X.bin", images(1));
    files.put("test_y.bin", new byte[] {5});
    files.put("train_X.bin", images(3));
    files.put("train_y.bin", new byte[] {1, 10, 3});
    return files;
  }

  private static byte[] images(int count) {
    byte[] file = new byte[count * IMAGE_BYTES];
    int at = 0;
    for (int image = 0; image < count; image++) {
      for (int channel = 0; channel < 3; channel++) {
        for (int column = 0; column < SIDE; column++) {
          for (int row = 0; row < SIDE; row++) {
            file[at++] = (byte) level(image, channel, row, column);
          }
        }
      }
    }
    return file;
  }
}
