package dev.layerwise.files;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.Optional;

/** Folders of the account that runs the program. */
public final class UserFolders {
  private final Map<String, String> environment;
  private final Path home;
  private final Path temporary;

  /**
   * Folders as the surroundings give them.
   *
   * @param home what Java takes for the home folder: "?" for an account that has none
   * @param temporary where temporary files go
   */
  public UserFolders(Map<String, String> environment, String home, String temporary) {
    this.environment = environment;
    this.home = Path.of(home);
    this.temporary = Path.of(temporary);
  }

  /** Those of this process. */
  public static UserFolders current() {
    String named = System.getenv("TMPDIR"); // which Java does not look at
    String temporary = named == null || named.isEmpty() ? System.getProperty("java.io.tmpdir") : named;
    return new UserFolders(System.getenv(), System.getProperty("user.home"), temporary);
  }

  /** The home folder; empty if the account has none, as in a container that runs under a number without a name. */
  public Optional<Path> home() {
    return home.isAbsolute() && Files.isDirectory(home) ? Optional.of(home) : Optional.empty();
  }

  /**
   * Where the program keeps files that can be had again: {@code layerwise} in $XDG_CACHE_HOME or in {@code .cache} of
   * the home folder; otherwise a folder of this user's own below the one for temporary files. It need not exist.
   */
  public Path cache() {
    String named = environment.get("XDG_CACHE_HOME");
    if (named != null && !named.isEmpty()) {
      return Path.of(named, "layerwise");
    }
    return home().map(folder -> folder.resolve(".cache/layerwise")).orElseGet(this::temporaryCache);
  }

  private Path temporaryCache() {
    return temporary.resolve("layerwise-" + userNumber(Path.of("/proc/self")));
  }

  /**
   * Makes a folder below {@link #cache} from which code will be loaded. Where that is below the folder for temporary
   * files, which everybody can write to, a folder that somebody else has made is not used: a new one is made instead.
   */
  public Path cacheForCode(String name) throws IOException {
    Path cache = cache();
    if (cache.equals(temporaryCache()) && !isOwn(cache)) {
      cache = Files.createTempDirectory(temporary, "layerwise-");
    }
    return Files.createDirectories(cache.resolve(name));
  }

  private static boolean isOwn(Path folder) throws IOException {
    if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
      Files.createDirectory(folder, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }
    return Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)
        && userNumber(folder).equals(userNumber(Path.of("/proc/self")))
        && Files.getPosixFilePermissions(folder).equals(PosixFilePermissions.fromString("rwx------"));
  }

  /** The number of a file's owner; that of /proc/self is the user's own. */
  private static Object userNumber(Path file) {
    try {
      return Files.getAttribute(file, "unix:uid", LinkOption.NOFOLLOW_LINKS);
    } catch (IOException e) {
      return "unknown";
    }
  }
}
