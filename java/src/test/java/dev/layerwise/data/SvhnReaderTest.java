package dev.layerwise.data;

import static dev.layerwise.data.SyntheticFiles.gzip;
import static dev.layerwise.data.SyntheticFiles.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.Deflater;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import us.hebi.matlab.mat.format.Mat5;
import us.hebi.matlab.mat.format.Mat5File;
import us.hebi.matlab.mat.types.Array;
import us.hebi.matlab.mat.types.MatlabType;
import us.hebi.matlab.mat.types.Matrix;
import us.hebi.matlab.mat.types.Sinks;

class SvhnReaderTest {
  private static final int IMAGE_BYTES = 3 * 32 * 32;

  @TempDir
  Path folder;

  @BeforeEach
  void writeWholeDataSet() {
    write(folder.resolve("train_32x32.mat"), svhn(0, 1, 10));
    write(folder.resolve("extra_32x32.mat"), svhn(50, 9, 2, 3));
    write(folder.resolve("test_32x32.mat"), svhn(90, 5));
  }

  @Test
  void trainAndExtraInThisOrder() {
    DataSet<ImageSet> set = DataSets.load("svhn", folder);
    assertThat(set.train().labels()).containsExactly(1, 0, 9, 2, 3);
    assertThat(set.test().labels()).containsExactly(5);
    assertThat(set.train().pixels().limit()).isEqualTo(5 * IMAGE_BYTES);
    assertPixels(set.train(), 0, 0);
    assertPixels(set.train(), 1, 1);
    assertPixels(set.train(), 2, 50);
    assertPixels(set.train(), 4, 52);
    assertPixels(set.test(), 0, 90);
  }

  @Test
  void uncompressedVariables() throws IOException {
    write(folder.resolve("test_32x32.mat"), mat(Deflater.NO_COMPRESSION, "y", labels(4), "X", images(7, 1)));
    assertThat(Files.size(folder.resolve("test_32x32.mat"))).isGreaterThan(IMAGE_BYTES);
    DataSet<ImageSet> set = DataSets.load("svhn", folder);
    assertThat(set.test().labels()).containsExactly(4);
    assertPixels(set.test(), 0, 7);
  }

  @Test
  void packedFileAndOtherVariables() throws IOException {
    Files.delete(folder.resolve("test_32x32.mat"));
    write(folder.resolve("test_32x32.mat.gz"), gzip(mat(6, "about", Mat5.newString("more"), "X", images(7, 1), "z",
        Mat5.newScalar(3), "y", labels(4))));
    assertPixels(DataSets.load("svhn", folder).test(), 0, 7);
  }

  @Test
  void bothTrainingFilesAreNeeded() throws IOException {
    Files.delete(folder.resolve("extra_32x32.mat"));
    assertFails("SVHN in " + folder + " is incomplete, missing extra_32x32.mat", "layerwise data fetch svhn");
  }

  @Test
  void foundByItsFolder() {
    for (String sub : new String[] {"svhn", "SVHN"}) {
      Path other = folder.resolve("data-" + sub).resolve(sub);
      write(other.resolve("train_32x32.mat"), svhn(0, 1));
      write(other.resolve("extra_32x32.mat"), svhn(0, 1));
      write(other.resolve("test_32x32.mat"), svhn(0, 1));
      assertThat(DataSets.locate("svhn", other.getParent())).contains(other);
    }
  }

  @Test
  void otherMatFiles() {
    assertTestFileFails(mat(6, "data", images(0, 1)), "it lacks the variable X");
    assertTestFileFails(mat(6, "X", images(0, 1)), "it lacks the variable y");
    assertTestFileFails(mat(6, "X", Mat5.newMatrix(4, 5), "y", labels(1)),
        "its variable X is 4×5 of double, where 32×32×3×N of uint8 is expected");
    assertTestFileFails(mat(6, "X", Mat5.newMatrix(new int[] {32, 32, 3, 2}), "y", labels(1)), "of double");
    assertTestFileFails(mat(6, "X", Mat5.newMatrix(new int[] {28, 28, 3, 2}, MatlabType.UInt8)), "28×28×3×2 of uint8");
    assertTestFileFails(mat(6, "X", Mat5.newString("images"), "y", labels(1)), "X is 1×6 of character");
    assertTestFileFails(mat(6, "X", Mat5.newStruct(), "y", labels(1)), "X is 1×1 of structure");
    assertTestFileFails(mat(6, "X", images(0, 1), "y", Mat5.newString("1")), "y is 1×1 of character");
    assertTestFileFails(mat(6, "X", images(0, 2), "y", labels(1)), "holds 2 images but 1 labels");
  }

  @Test
  void whatIsNotAMatFile() {
    assertTestFileFails("<html>not found</html>".repeat(20).getBytes(), "not a MAT file of level 5");
    byte[] level73 = Arrays.copyOf("MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00".getBytes(), 600);
    assertTestFileFails(level73, "not a MAT file of level 5");
    assertTestFileFails(new byte[0], "test_32x32.mat is empty");
  }

  @Test
  void truncatedFile() {
    byte[] random = mat(6, "X", noise(3), "y", labels(1, 2, 3));
    for (int length : new int[] {1, 100, 130, 140, 1000, random.length / 2}) {
      assertTestFileFails(Arrays.copyOf(random, length), "download it again");
    }
    byte[] plain = mat(Deflater.NO_COMPRESSION, "X", noise(3), "y", labels(1, 2, 3));
    for (int length : new int[] {150, 1000, plain.length / 2, plain.length - 40}) {
      assertTestFileFails(Arrays.copyOf(plain, length), "is cut off");
    }
  }

  @Test
  void labelsOutOfRange() {
    assertTestFileFails(mat(6, "X", images(0, 2), "y", labels(1, 11)),
        "gives image 1 the label 11.0, where SVHN has 1 to 10");
    assertTestFileFails(mat(6, "X", images(0, 1), "y", labels(0)), "the label 0.0");
    Matrix half = Mat5.newMatrix(1, 1);
    half.setDouble(0, 1.5);
    assertTestFileFails(mat(6, "X", images(0, 1), "y", half), "the label 1.5");
    half.setDouble(0, Double.NaN);
    assertTestFileFails(mat(6, "X", images(0, 1), "y", half), "the label NaN");
  }

  @Test
  void moreImagesThanTheOfficialFile() {
    assertTestFileFails(mat(6, "X", Mat5.newMatrix(new int[] {32, 32, 3, 26_033}, MatlabType.UInt8)),
        "holds 26033 images, more than the 26032");
  }

  @Test
  void mutatedFileGivesDataExceptionOrData() {
    byte[] file = mat(Deflater.NO_COMPRESSION, "X", images(0, 2), "y", labels(1, 2));
    Random random = new Random(3);
    for (int round = 0; round < 400; round++) {
      byte[] mutated = file.clone();
      for (int change = 0; change < 3; change++) {
        mutated[116 + random.nextInt(random.nextBoolean() ? 90 : file.length - 116)] = (byte) random.nextInt(256);
      }
      write(folder.resolve("test_32x32.mat"), mutated);
      try {
        DataSets.load("svhn", folder);
      } catch (DataException expected) {
        assertThat(expected.getMessage()).contains("test_32x32.mat");
      }
    }
  }

  private void assertTestFileFails(byte[] content, String part) {
    write(folder.resolve("test_32x32.mat"), content);
    assertFails("test_32x32.mat", part);
  }

  private void assertFails(String... parts) {
    assertThatThrownBy(() -> DataSets.load("svhn", folder)).isInstanceOf(DataException.class)
        .message().contains(parts).endsWith(".").doesNotContain("\n");
  }

  /** The level at a place of an image that begins with a level. */
  private static int level(int first, int channel, int row, int column) {
    return (first + 64 * channel + 3 * row + column) & 0xff;
  }

  private static void assertPixels(ImageSet images, int image, int first) {
    for (int channel = 0; channel < 3; channel++) {
      for (int row = 0; row < 32; row++) {
        for (int column = 0; column < 32; column++) {
          int pixel = images.pixels().get(image * IMAGE_BYTES + (channel * 32 + row) * 32 + column) & 0xff;
          assertThat(pixel).isEqualTo(level(first, channel, row, column));
        }
      }
    }
  }

  private static byte[] svhn(int first, int... labels) {
    return mat(6, "X", images(first, labels.length), "y", labels(labels));
  }

  private static Matrix images(int first, int count) {
    Matrix images = Mat5.newMatrix(new int[] {32, 32, 3, count}, MatlabType.UInt8);
    for (int image = 0; image < count; image++) {
      for (int channel = 0; channel < 3; channel++) {
        for (int row = 0; row < 32; row++) {
          for (int column = 0; column < 32; column++) {
            images.setInt(new int[] {row, column, channel, image}, level(first + image, channel, row, column));
          }
        }
      }
    }
    return images;
  }

  private static Matrix noise(int count) {
    Matrix images = Mat5.newMatrix(new int[] {32, 32, 3, count}, MatlabType.UInt8);
    Random random = new Random(1);
    for (int i = 0; i < images.getNumElements(); i++) {
      images.setInt(i, random.nextInt(256));
    }
    return images;
  }

  private static Matrix labels(int... labels) {
    Matrix matrix = Mat5.newMatrix(labels.length, 1, MatlabType.UInt8);
    for (int i = 0; i < labels.length; i++) {
      matrix.setInt(i, labels[i]);
    }
    return matrix;
  }

  /** A file with variables: name, value, name, value. */
  private static byte[] mat(int level, Object... variables) {
    Mat5File file = Mat5.newMatFile();
    for (int i = 0; i < variables.length; i += 2) {
      file.addArray((String) variables[i], (Array) variables[i + 1]);
    }
    ByteBuffer buffer = ByteBuffer.allocate((int) file.getUncompressedSerializedSize() + 10_000);
    try {
      Mat5.newWriter(Sinks.wrap(buffer)).setDeflateLevel(level).writeMat(file);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
    return Arrays.copyOf(buffer.array(), buffer.position());
  }
}
