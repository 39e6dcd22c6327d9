package dev.layerwise.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The hashes are in checkpoints: other versions must find the same ones, which Python computed here. */
class FingerprintTest {
  @TempDir private Path folder;

  private Path[] write(Path images) throws IOException {
    Path[] files = {images.resolve("cat/a.png"), images.resolve("dög/sub/b.png")};
    for (Path file : files) {
      Files.createDirectories(file.getParent());
    }
    Files.writeString(files[0], "abc");
    Files.writeString(files[1], "defgh");
    return files;
  }

  private static Fingerprint of(Path images, Path[] files, int... labels) {
    return Fingerprint.ofFiles(images, i -> files[i], labels);
  }

  @Test
  void filesAreKnownByPathClassAndSize() throws IOException {
    Path images = folder.resolve("images");
    Path[] files = write(images);
    Fingerprint before = of(images, files, 0, 1);
    assertThat(before)
        .isEqualTo(new Fingerprint(2, "d0a5706de07510a2f2d5da8d70927359ac1567172a0493e79ac4406f75b9192f"));

    assertThat(of(images, files, 0, 2)).isNotEqualTo(before);
    assertThat(of(images, new Path[] {files[1], files[0]}, 0, 1)).isNotEqualTo(before);
    assertThat(of(images, files, 0)).isNotEqualTo(before);
    Path other = folder.resolve("elsewhere/copy");
    Path[] copies = write(other);
    Files.setLastModifiedTime(copies[0], FileTime.fromMillis(0));
    assertThat(of(other, copies, 0, 1)).isEqualTo(before);
    Files.writeString(copies[1], "defg");
    assertThat(of(other, copies, 0, 1)).isNotEqualTo(before);
    Files.delete(copies[1]);
    assertThat(of(other, copies, 0, 1)).isNotEqualTo(before);
  }

  @Test
  void imagesInMemoryAreKnownByPixelsAndLabels() {
    byte[] pixels = "123456789".getBytes(StandardCharsets.US_ASCII); // CRC-32C e3069283
    ImageSet images = new ImageSet(pixels, new int[] {1, 0, 2}, 1, 1, 3, 3);
    Fingerprint before = images.fingerprint();
    assertThat(before)
        .isEqualTo(new Fingerprint(3, "1a3e2eeff2dbed080ca445759ed9b5b256fc0522bb75d5dd0337b48a07059e9b"));
    assertThat(new ImageSet(pixels, new int[] {1, 0, 1}, 1, 1, 3, 3).fingerprint()).isNotEqualTo(before);
    byte[] changed = pixels.clone();
    changed[8]++;
    assertThat(new ImageSet(changed, new int[] {1, 0, 2}, 1, 1, 3, 3).fingerprint()).isNotEqualTo(before);
  }
}
