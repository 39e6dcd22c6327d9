package dev.layerwise.data.download;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TarUnpackerTest {
  @TempDir
  Path folder;

  @Test
  void wantedFilesOnly() throws IOException {
    Path archive = archive(file("data/"), file("data/one.bin"), file("./data/readme"), file("data/sub/two.bin"));
    Path to = folder.resolve("to");
    assertThat(TarUnpacker.unpack(archive, to, name -> name.endsWith(".bin")))
        .containsExactly(Path.of("data/one.bin"), Path.of("data/sub/two.bin"));
    assertThat(to.resolve("data/one.bin")).hasContent("data/one.bin");
    assertThat(to.resolve("data/sub/two.bin")).hasContent("data/sub/two.bin");
    assertThat(to.resolve("data/readme")).doesNotExist();
  }

  @Test
  void namesThatLeadOut() throws IOException {
    for (String name : new String[] {"../evil", "data/../../evil", "..", "data\\..\\..\\evil"}) {
      assertRefused(file(name), "leads out of its folder");
    }
    for (String name : new String[] {folder + "/evil", "C:/evil", "\\evil"}) {
      assertRefused(file(name), "has an absolute path");
    }
    assertThat(folder.resolve("evil")).doesNotExist();
  }

  @Test
  void linksAndDevices() throws IOException {
    byte[] types = {TarConstants.LF_SYMLINK, TarConstants.LF_LINK, TarConstants.LF_FIFO, TarConstants.LF_CHR,
        TarConstants.LF_BLK};
    for (byte type : types) {
      TarArchiveEntry entry = new TarArchiveEntry("data/link", type);
      entry.setLinkName("../../evil");
      assertRefused(entry, "is a link or a device");
    }
  }

  @Test
  void sameNameTwice() throws IOException {
    Path archive = archive(file("one"), file("./one"));
    assertThatThrownBy(() -> TarUnpacker.unpack(archive, folder.resolve("to"), name -> true))
        .isInstanceOf(DownloadException.class).hasMessageContaining("holds one twice");
  }

  @Test
  void damagedArchives() throws IOException {
    byte[] whole = Files.readAllBytes(archive(file("one"), file("two")));
    int run = 0;
    for (int length : new int[] {0, 5, 40, whole.length / 2, whole.length - 1}) {
      Path cut = Files.write(folder.resolve("cut"), Arrays.copyOf(whole, length));
      Path to = folder.resolve("to" + run++);
      assertThatThrownBy(() -> TarUnpacker.unpack(cut, to, name -> true)).isInstanceOf(DownloadException.class)
          .message().contains("cut is damaged", "download it again");
    }
    Path text = Files.writeString(folder.resolve("cut"), "<html>not an archive</html>");
    assertThatThrownBy(() -> TarUnpacker.unpack(text, folder.resolve("to"), name -> true))
        .isInstanceOf(DownloadException.class).hasMessageContaining("cut is damaged");
  }

  @Test
  void unwritableFolder() throws IOException {
    Path archive = archive(file("data/one"));
    Files.createDirectory(folder.resolve("to"));
    Files.writeString(folder.resolve("to/data"), "a file where a folder is needed");
    assertThatThrownBy(() -> TarUnpacker.unpack(archive, folder.resolve("to"), name -> true))
        .isInstanceOf(DownloadException.class).hasMessageContaining("Cannot unpack");
  }

  private void assertRefused(TarArchiveEntry entry, String why) throws IOException {
    Path archive = archive(file("good"), entry);
    Path to = Files.createTempDirectory(folder, "to");
    assertThatThrownBy(() -> TarUnpacker.unpack(archive, to, name -> name.equals("good"))).as(entry.getName())
        .isInstanceOf(DownloadException.class).message().contains("refused", entry.getName(), why).endsWith(".");
  }

  /** A file whose content is its name; a folder if that ends in a slash. */
  private static TarArchiveEntry file(String name) {
    TarArchiveEntry entry = new TarArchiveEntry(name, true);
    if (!entry.isDirectory()) {
      entry.setSize(name.getBytes(StandardCharsets.UTF_8).length);
    }
    // The constructor changes back slashes; an archive from elsewhere may have them.
    entry.setName(name);
    return entry;
  }

  private Path archive(TarArchiveEntry... entries) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (TarArchiveOutputStream tar = new TarArchiveOutputStream(new GZIPOutputStream(bytes))) {
      tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_GNU);
      for (TarArchiveEntry entry : entries) {
        tar.putArchiveEntry(entry);
        if (entry.getSize() > 0) {
          tar.write(Arrays.copyOf(entry.getName().getBytes(StandardCharsets.UTF_8), (int) entry.getSize()));
        }
        tar.closeArchiveEntry();
      }
    }
    return Files.write(folder.resolve("archive.tar.gz"), bytes.toByteArray());
  }
}
