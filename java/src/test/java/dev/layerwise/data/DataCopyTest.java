package dev.layerwise.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataCopyTest {
  private static final int RECORD_BYTES = 2 + SyntheticFiles.CIFAR_IMAGE_BYTES;
  /** Random bytes cannot be packed: enough of them that a plain copy is kept. */
  private static final int RECORDS = 1_400;
  private static final Set<Part> TRAIN = Set.of(Part.TRAIN);

  @TempDir private Path temporary;
  private final List<String> notices = new ArrayList<>();
  private final List<Long> read = new ArrayList<>();
  private Path data;
  private Path kept;

  private final ReadingListener listener =
      new ReadingListener() {
        @Override
        public void read(long bytes, long ofBytes) {
          assertThat(bytes).isLessThanOrEqualTo(ofBytes);
          read.add(100 * bytes / ofBytes);
        }

        @Override
        public void notice(String sentence) {
          notices.add(sentence);
        }
      };

  @BeforeEach
  void makeFolder() throws IOException {
    data = Files.createDirectory(temporary.resolve("data"));
    kept = temporary.resolve("cache/unpacked");
  }

  private static byte[] records(long seed) {
    byte[] records = new byte[RECORDS * RECORD_BYTES];
    new Random(seed).nextBytes(records);
    for (int record = 0; record < RECORDS; record++) {
      records[record * RECORD_BYTES] = (byte) (record % 20);
      records[record * RECORD_BYTES + 1] = (byte) (record % 100);
    }
    return records;
  }

  private ByteBuffer pixels() {
    Catalog.Entry entry = Catalog.entry("cifar-100");
    DataCopy copy = new DataCopy(data, entry.info(), new UnpackedFiles(kept), listener);
    return entry.layout().load(copy, TRAIN).get(Part.TRAIN).pixels();
  }

  private static ByteBuffer pixelsOf(byte[] records) {
    ByteBuffer pixels = ByteBuffer.allocate(RECORDS * SyntheticFiles.CIFAR_IMAGE_BYTES);
    for (int record = 0; record < RECORDS; record++) {
      pixels.put(records, record * RECORD_BYTES + 2, SyntheticFiles.CIFAR_IMAGE_BYTES);
    }
    return pixels.flip();
  }

  private List<Path> keptFiles() throws IOException {
    try (Stream<Path> files = Files.list(kept)) {
      return files.toList();
    }
  }

  @Test
  void anXzFileIsUnpackedOnce() throws IOException {
    byte[] records = records(1);
    SyntheticFiles.write(data.resolve("train.bin.xz"), SyntheticFiles.xz(records));

    assertThat(pixels()).isEqualTo(pixelsOf(records));
    assertThat(notices).singleElement().asString().startsWith("unpacking ").contains("train.bin.xz once", kept.toString());
    assertThat(read).isSorted().endsWith(100L);

    byte[] plain = Files.readAllBytes(keptFiles().get(0));
    assertThat(plain).isEqualTo(records);
    plain[2] ^= 1; // seen only where the copy is what is read
    Files.write(keptFiles().get(0), plain);
    assertThat(pixels()).isEqualTo(pixelsOf(plain));
    assertThat(notices).hasSize(1);
    assertThat(read).endsWith(100L);
  }

  @Test
  void aFileThatHasChangedIsUnpackedAgainAndItsOldCopyRemoved() throws IOException {
    SyntheticFiles.write(data.resolve("train.bin.xz"), SyntheticFiles.xz(records(1)));
    pixels();
    byte[] others = records(2);
    SyntheticFiles.write(data.resolve("train.bin.xz"), SyntheticFiles.xz(others));

    assertThat(pixels()).isEqualTo(pixelsOf(others));
    assertThat(keptFiles()).hasSize(1);
  }

  @Test
  void whereNoCopyCanBeKeptTheFileIsReadAllTheSame() throws IOException {
    byte[] records = records(1);
    SyntheticFiles.write(data.resolve("train.bin.xz"), SyntheticFiles.xz(records));
    kept = Files.createFile(temporary.resolve("file")).resolve("unpacked");

    assertThat(pixels()).isEqualTo(pixelsOf(records));
    assertThat(notices).hasSize(2).last().asString().startsWith("no plain copy is kept: ");
  }

  @Test
  void anArchiveIsUnpackedOnceForBothParts() throws IOException {
    Map<String, byte[]> files = new TreeMap<>();
    files.put("cifar-100-binary/test.bin", SyntheticFiles.cifar(new int[] {1, 2}));
    files.put("cifar-100-binary/train.bin", SyntheticFiles.cifar(new int[] {3, 4}, new int[] {5, 6}));
    Path archive = data.resolve("cifar-100-binary.tar.gz");
    SyntheticFiles.write(archive, SyntheticFiles.gzip(SyntheticFiles.tar(files)));
    Catalog.Entry entry = Catalog.entry("cifar-100");
    DataCopy copy = new DataCopy(archive, entry.info(), new UnpackedFiles(kept), listener);

    Map<Part, ImageSet> parts = entry.layout().load(copy, Part.ALL);
    assertThat(parts.get(Part.TRAIN).labels()).containsExactly(4, 6);
    assertThat(parts.get(Part.TEST).labels()).containsExactly(2);
    assertThat(read).endsWith(100L).isSorted(); // of one size of the archive
    assertThat(kept).doesNotExist();
  }

  @Test
  void aDamagedFileIsNotKept() throws IOException {
    byte[] packed = SyntheticFiles.xz(records(1));
    packed[packed.length / 2] ^= 1;
    SyntheticFiles.write(data.resolve("train.bin.xz"), packed);

    assertThatThrownBy(this::pixels).isInstanceOf(DataException.class).hasMessageContaining("train.bin.xz is damaged");
    assertThat(notices).hasSize(1);
    assertThat(keptFiles()).isEmpty();
  }
}
