package dev.layerwise.data.stream;

import static dev.layerwise.data.stream.TestImages.plain;
import static dev.layerwise.data.stream.TestImages.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.layerwise.data.DataException;
import dev.layerwise.files.FileNames;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FolderListingTest {
  @TempDir private Path folder;

  private final FolderListing listing = new FolderListing();
  private final List<Path> closed = new ArrayList<>();

  @Test
  void imagesInTheOrderOfTheirPaths() {
    for (String name : new String[] {"b/2.JPG", "a.png", "a/1.tiff", "a/b/c/1.bmp", "b.gif", "b/10.jpeg", "B.tif"}) {
      file(name);
    }
    assertThat(images(folder))
        .containsExactly("B.tif", "a.png", "a/1.tiff", "a/b/c/1.bmp", "b.gif", "b/10.jpeg", "b/2.JPG");
    assertThat(listing.leftOut("skipped: ")).isEmpty();
  }

  @Test
  void linksAreFollowed() throws IOException {
    file("store/cats/1.png");
    file("store/2.png");
    Files.createSymbolicLink(folder.resolve("photos"), folder.resolve("store"));
    Files.createSymbolicLink(folder.resolve("store/more"), folder.resolve("store/cats"));
    Files.createSymbolicLink(folder.resolve("store/3.png"), folder.resolve("store/2.png"));
    assertThat(images(folder.resolve("photos"))).containsExactly("2.png", "3.png", "cats/1.png", "more/1.png");
    assertThat(listing.leftOut("")).isEmpty();
  }

  @Test
  void linksInALoopAreLeftOut() throws IOException {
    file("a/b/1.png");
    file("c/2.png");
    Files.createSymbolicLink(folder.resolve("a/b/self"), Path.of("."));
    Files.createSymbolicLink(folder.resolve("a/b/up"), folder);
    Files.createSymbolicLink(folder.resolve("a/b/root"), Path.of("/"));
    Files.createSymbolicLink(folder.resolve("a/to-c"), folder.resolve("c"));
    Files.createSymbolicLink(folder.resolve("c/to-a"), folder.resolve("a"));
    assertThat(images(folder)).containsExactly(
        "a/b/1.png", "a/to-c/2.png", "c/2.png", "c/to-a/b/1.png");
    // Three in a/b, a/to-c/to-a, three in c/to-a/b, c/to-a/to-c.
    assertThat(listing.leftOut("skipped: ")).startsWith("skipped: 8 links to folders that they are in (")
        .contains(folder.resolve("a/b/root") + ", ").endsWith(" and others)");
  }

  @Test
  void aLinkToTheFolderOfAllClassesIsALoop() throws IOException {
    file("elsewhere/1.png");
    file("train/dog/2.png");
    Files.createSymbolicLink(folder.resolve("train/cat"), folder.resolve("elsewhere"));
    Files.createSymbolicLink(folder.resolve("elsewhere/all"), folder.resolve("train"));
    assertThat(images(folder.resolve("train/cat"))).containsExactly("1.png");
    assertThat(listing.leftOut("")).startsWith("1 link to a folder that it is in (");
  }

  @Test
  void whatIsLeftOutIsCountedByTheReason() throws IOException, InterruptedException {
    file("1.png");
    for (String name : new String[] {"a.webp", "b.WEBP", "c.heic", "notes.txt", "README", ".hidden.png", ".git/x.png",
        "__MACOSX/y.png", "lost+found/z.png", "$RECYCLE.BIN/z.png", "System Volume Information/z.png",
        "sub/@eaDir/thumb.jpg"}) {
      file(name);
    }
    Files.createSymbolicLink(folder.resolve("nowhere"), folder.resolve("none"));
    Files.createSymbolicLink(folder.resolve("nowhere.png"), folder.resolve("none.png"));
    assertThat(new ProcessBuilder("mkfifo", folder.resolve("pipe.png").toString()).start().waitFor()).isZero();
    assertThat(images(folder)).containsExactly("1.png", "nowhere.png");
    assertThat(listing.leftOut("skipped: ")).isEqualTo(
        "skipped: 3 images of kinds that are not read (.webp, .heic); 2 other files (README, .txt);"
            + " 7 hidden or system files and folders ($RECYCLE.BIN, .git, .hidden.png and others);"
            + " 1 pipe or device (" + folder.resolve("pipe.png") + ");"
            + " 1 link that leads nowhere (" + folder.resolve("nowhere") + ")");
  }

  @Test
  void classesAreFolders() throws IOException {
    for (String name : new String[] {"dog/1.png", "cat/1.png", "__MACOSX/cat/1.png", "@eaDir/1.png", ".cache/1.png",
        "lost+found/1.png", "beside.png", "labels.csv"}) {
      file(name);
    }
    Files.createDirectories(folder.resolve("empty"));
    Files.createSymbolicLink(folder.resolve("bird"), folder.resolve("cat"));
    Files.createSymbolicLink(folder.resolve("all"), folder);
    Files.createSymbolicLink(folder.resolve("gone"), folder.resolve("none"));
    assertThat(listing.classFolders(folder)).extracting(path -> path.getFileName().toString())
        .containsExactly("bird", "cat", "dog", "empty");
    assertThat(listing.leftOut("")).isEqualTo(
        "1 other file (.csv); 1 image beside the classes' folders (" + folder.resolve("beside.png")
            + "); 4 hidden or system files and folders (.cache, @eaDir, __MACOSX and others);"
            + " 1 link to a folder that it is in (" + folder.resolve("all") + ");"
            + " 1 link that leads nowhere (" + folder.resolve("gone") + ")");
  }

  @Test
  void namesThatAreNotUtf8() throws IOException {
    Path latin = Path.of(URI.create(folder.toUri() + "caf%E9/1.png"));
    write(latin, plain(2, 2, 0));
    write(Path.of(URI.create(folder.toUri() + "caf%C3%A9/2%FF.png")), plain(2, 2, 0));
    List<Path> classes = listing.classFolders(folder);
    assertThat(classes).extracting(path -> FileNames.text(path.getFileName())).containsExactly("caf\\xE9", "café");
    assertThat(listing.images(classes.get(0))).containsExactly(latin);
    assertThat(listing.images(classes.get(1))).hasSize(1).allMatch(Files::isRegularFile)
        .extracting(FileNames::text).containsExactly(folder + "/café/2\\xFF.png");
    assertThat(listing.leftOut("")).isEmpty();
    assertThat(FileNames.isLossy(latin)).isFalse();
  }

  @Test
  void namesThatLostTheirBytes() throws IOException {
    assumeTrue("UTF-8".equals(System.getProperty("sun.jnu.encoding")), "needs a locale of UTF-8");
    Path lost = Path.of("caf\ufffd.png");
    assertThat(FileNames.isLossy(lost)).isTrue();
    assertThat(FileNames.isLossy(write(folder.resolve(lost), new byte[1]))).as("a file of that name").isFalse();
  }

  @Test
  void foldersThatCannotBeRead() throws IOException {
    file("cat/1.png");
    file("cat/closed/2.png");
    file("dog/3.png");
    close("cat/closed");
    close("dog");
    assertThat(images(folder.resolve("cat"))).containsExactly("1.png");
    assertThat(listing.hasUnreadable()).isTrue();
    assertThat(listing.leftOut("")).isEqualTo(
        "1 folder that cannot be read (" + folder.resolve("cat/closed") + ")");
    assertThatThrownBy(() -> listing.images(folder.resolve("dog"))).isInstanceOf(DataException.class)
        .hasMessage("Cannot list " + folder.resolve("dog") + ": permission denied.");
  }

  @Test
  void aFolderThatIsNotThere() {
    assertThatThrownBy(() -> listing.images(folder.resolve("none"))).isInstanceOf(DataException.class)
        .hasMessage("Cannot list " + folder.resolve("none") + ": no such file or folder.");
  }

  private void close(String name) throws IOException {
    Path path = folder.resolve(name);
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("---------"));
    closed.add(path);
    assumeFalse(Files.isReadable(path), "needs a user whom permissions hold off, not root");
  }

  @AfterEach
  void open() throws IOException {
    for (Path path : closed) {
      Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rwx------"));
    }
  }

  private void file(String name) {
    write(folder.resolve(name), new byte[1]);
  }

  private List<String> images(Path of) {
    return listing.images(of).stream().map(path -> of.relativize(path).toString()).toList();
  }
}
