package dev.layerwise.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFilesTest {
  @TempDir
  Path folder;

  @Test
  void createsAndReplaces() throws IOException {
    Path file = folder.resolve("state.json");
    AtomicFiles.write(file, out -> out.write("old".getBytes()));
    assertThat(file).hasContent("old");
    AtomicFiles.write(file, out -> out.write("new".getBytes()));
    assertThat(file).hasContent("new");
    assertOnlyFile("state.json");
  }

  @Test
  void oldFileStaysUntilTheNewOneIsWhole() {
    Path file = folder.resolve("state.json");
    AtomicFiles.write(file, out -> out.write("old".getBytes()));
    AtomicFiles.write(file, out -> {
      out.write("new".getBytes());
      out.flush();
      assertThat(file).hasContent("old");
    });
    assertThat(file).hasContent("new");
  }

  @Test
  void fullDisk() {
    Path full = Path.of("/dev/full");
    assumeTrue(Files.exists(full), "needs /dev/full");
    Path file = folder.resolve("state.json");
    AtomicFiles.write(file, out -> out.write("old".getBytes()));
    assertThatThrownBy(() -> AtomicFiles.write(file, out -> {
      out.write("half of the".getBytes());
      try (OutputStream device = Files.newOutputStream(full)) {
        device.write(1);
      }
    })).isInstanceOf(FileException.class).hasMessage("Cannot write " + file + ": No space left on device.");
    assertThat(file).hasContent("old");
    assertOnlyFile("state.json");
  }

  @Test
  void aLinkStaysALink() throws IOException {
    Path file = folder.resolve("state.json");
    Files.writeString(file, "old");
    Path link = Files.createSymbolicLink(folder.resolve("link.json"), Path.of("state.json"));
    AtomicFiles.write(link, out -> out.write("new".getBytes()));
    assertThat(link).isSymbolicLink();
    assertThat(file).hasContent("new");
  }

  @Test
  void devicesAndDanglingLinksStay() throws IOException {
    Path dangling = Files.createSymbolicLink(folder.resolve("dangling"), Path.of("nothing"));
    Path device = Files.createSymbolicLink(folder.resolve("device"), Path.of("/dev/null"));
    for (Path path : new Path[] {dangling, device, Path.of("/dev/null")}) {
      assertThatThrownBy(() -> AtomicFiles.write(path, out -> out.write(1)))
          .isInstanceOf(FileException.class)
          .hasMessage("Cannot write " + path + ": it is not a regular file.");
    }
    assertThat(device).isSymbolicLink();
  }

  @Test
  void defectInTheContentLeavesNothingBehind() {
    assertThatThrownBy(() -> AtomicFiles.write(folder.resolve("state.json"), out -> {
      throw new IllegalStateException("defect");
    })).isInstanceOf(IllegalStateException.class);
    assertThat(folder).isEmptyDirectory();
  }

  @Test
  void folderThatIsNotThere() {
    assertThatThrownBy(() -> AtomicFiles.write(folder.resolve("missing/state.json"), out -> out.write(1)))
        .isInstanceOf(FileException.class)
        .hasMessage("Cannot write " + folder.resolve("missing/state.json") + ": " + folder.resolve("missing")
            + " does not exist or is not reachable.");
  }

  @Test
  void folderThatIsAFile() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "content");
    assertThatThrownBy(() -> AtomicFiles.write(file.resolve("state.json"), out -> out.write(1)))
        .isInstanceOf(FileException.class)
        .hasMessage("Cannot write " + file.resolve("state.json") + ": " + file + " is a file, not a folder.");
    assertThat(file).hasContent("content");
  }

  @Test
  void pathThatIsAFolder() throws IOException {
    Path sub = Files.createDirectory(folder.resolve("sub"));
    assertThatThrownBy(() -> AtomicFiles.write(sub, out -> out.write(1))).isInstanceOf(FileException.class)
        .hasMessage("Cannot write " + sub + ": it is a folder, not a file.");
  }

  @Test
  void nameThatIsTooLong() {
    String name = "x".repeat(300);
    assertThatThrownBy(() -> AtomicFiles.write(folder.resolve(name), out -> out.write(1)))
        .isInstanceOf(FileException.class).hasMessageEndingWith(": File name too long.");
    assertThat(folder).isEmptyDirectory();
  }

  private void assertOnlyFile(String name) {
    assertThat(folder.toFile().list()).containsExactly(name);
  }
}
