package dev.layerwise.files;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class UserFoldersTest {
  @TempDir private Path folder;

  private UserFolders folders(Map<String, String> environment, String home) {
    return new UserFolders(environment, home, folder.toString());
  }

  @Test
  void theCacheIsWhereItWasAskedForOrBelowTheHomeFolder() throws IOException {
    Path home = Files.createDirectory(folder.resolve("home"));
    assertThat(folders(Map.of(), home.toString()).cache()).isEqualTo(home.resolve(".cache/layerwise"));
    assertThat(folders(Map.of("XDG_CACHE_HOME", ""), home.toString()).cache()).isEqualTo(home.resolve(".cache/layerwise"));
    assertThat(folders(Map.of("XDG_CACHE_HOME", "/var/cache"), home.toString()).cache())
        .isEqualTo(Path.of("/var/cache/layerwise"));
  }

  @Test
  void anAccountWithoutAHomeFolderGetsOneOfItsOwnForTemporaryFiles() throws IOException {
    for (String none : new String[] {"?", "", folder + "/nonexistent"}) {
      UserFolders folders = folders(Map.of(), none);
      assertThat(folders.home()).isEmpty();
      assertThat(folders.cache().getParent()).isEqualTo(folder);
      assertThat(folders.cache().getFileName().toString()).matches("layerwise-\\d+");
      Path code = folders.cacheForCode("natives");
      assertThat(code).isEqualTo(folders.cache().resolve("natives")).isDirectory();
      assertThat(Files.getPosixFilePermissions(code.getParent()))
          .isEqualTo(PosixFilePermissions.fromString("rwx------"));
    }
  }

  @Test
  void codeIsNotLoadedFromAFolderThatOthersCanWriteTo() throws IOException {
    UserFolders folders = folders(Map.of(), "?");
    Path open = Files.createDirectory(folders.cache());
    Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
    assertThat(folders.cacheForCode("natives").startsWith(open)).isFalse();

    Files.delete(open);
    Files.createSymbolicLink(open, Files.createDirectory(folder.resolve("elsewhere")));
    assertThat(folders.cacheForCode("natives").startsWith(open)).isFalse();
  }
}
