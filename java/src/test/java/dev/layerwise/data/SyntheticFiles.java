package dev.layerwise.data;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.tukaani.xz.LZMA2Options;
import org.tukaani.xz.XZOutputStream;

/** Small files in the original formats. */
public final class SyntheticFiles {
  public static final String TRAIN_IMAGES = "train-images-idx3-ubyte";
  public static final String TRAIN_LABELS = "train-labels-idx1-ubyte";
  static final String TEST_IMAGES = "t10k-images-idx3-ubyte";
  static final String TEST_LABELS = "t10k-labels-idx1-ubyte";
  static final int CIFAR_IMAGE_BYTES = 3 * 32 * 32;

  private SyntheticFiles() {}

  /** IDX images whose pixel p of image i is (7·i + p) mod 256. */
  static byte[] idxImages(int count, int height, int width) {
    ByteBuffer file = ByteBuffer.allocate(16 + count * height * width);
    file.putInt(0x0803).putInt(count).putInt(height).putInt(width);
    for (int image = 0; image < count; image++) {
      for (int pixel = 0; pixel < height * width; pixel++) {
        file.put((byte) (7 * image + pixel));
      }
    }
    return file.array();
  }

  static byte[] idxLabels(int... labels) {
    ByteBuffer file = ByteBuffer.allocate(8 + labels.length);
    file.putInt(0x0801).putInt(labels.length);
    for (int label : labels) {
      file.put((byte) label);
    }
    return file.array();
  }

  /** A whole data set of 28×28 images: training labels 5, 0, 9, test labels 1, 2. */
  static void writeMnist(Path folder) {
    write(folder.resolve(TRAIN_IMAGES), idxImages(3, 28, 28));
    write(folder.resolve(TRAIN_LABELS), idxLabels(5, 0, 9));
    write(folder.resolve(TEST_IMAGES), idxImages(2, 28, 28));
    write(folder.resolve(TEST_LABELS), idxLabels(1, 2));
  }

  /** A data set of 28×28 images in the files of MNIST, labels 0, 1, …, 9, 0, …. */
  public static void writeMnist(Path folder, int trainCount, int testCount) {
    write(folder.resolve(TRAIN_IMAGES), idxImages(trainCount, 28, 28));
    write(folder.resolve(TRAIN_LABELS), idxLabels(IntStream.range(0, trainCount).map(i -> i % 10).toArray()));
    write(folder.resolve(TEST_IMAGES), idxImages(testCount, 28, 28));
    write(folder.resolve(TEST_LABELS), idxLabels(IntStream.range(0, testCount).map(i -> i % 10).toArray()));
  }

  /** CIFAR records with the given label bytes per record; pixel p of record r is (11·r + p) mod 256. */
  public static byte[] cifar(int[]... labels) {
    ByteBuffer file = ByteBuffer.allocate(Arrays.stream(labels).mapToInt(l -> l.length + CIFAR_IMAGE_BYTES).sum());
    for (int record = 0; record < labels.length; record++) {
      for (int label : labels[record]) {
        file.put((byte) label);
      }
      for (int pixel = 0; pixel < CIFAR_IMAGE_BYTES; pixel++) {
        file.put((byte) (11 * record + pixel));
      }
    }
    return file.array();
  }

  static byte[] gzip(byte[] content) {
    return pack(content, GZIPOutputStream::new);
  }

  static byte[] xz(byte[] content) {
    return pack(content, out -> new XZOutputStream(out, new LZMA2Options(1)));
  }

  /** An archive with the files in the map's order. */
  static byte[] tar(Map<String, byte[]> files) {
    ByteArrayOutputStream archive = new ByteArrayOutputStream();
    try (TarArchiveOutputStream tar = new TarArchiveOutputStream(archive)) {
      for (Map.Entry<String, byte[]> file : files.entrySet()) {
        TarArchiveEntry entry = new TarArchiveEntry(file.getKey());
        entry.setSize(file.getValue().length);
        tar.putArchiveEntry(entry);
        tar.write(file.getValue());
        tar.closeArchiveEntry();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return archive.toByteArray();
  }

  public static void write(Path file, byte[] content) {
    try {
      Files.createDirectories(file.getParent());
      Files.write(file, content);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private interface Packing {
    OutputStream around(OutputStream out) throws IOException;
  }

  private static byte[] pack(byte[] content, Packing packing) {
    ByteArrayOutputStream packed = new ByteArrayOutputStream();
    try (OutputStream out = packing.around(packed)) {
      out.write(content);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return packed.toByteArray();
  }
}
