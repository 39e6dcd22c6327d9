package dev.layerwise.data;

import dev.layerwise.data.Download.RemoteFile;
import dev.layerwise.data.download.DownloadListener;
import dev.layerwise.data.download.Downloader;
import dev.layerwise.data.download.TarUnpacker;
import dev.layerwise.files.FileErrors;
import java.io.IOException;
import java.net.URI;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A folder of data sets that downloads go to, each in a folder of its own name: the cache, or one that the user names.
 * A data set appears there at once and whole. While it is fetched, what has arrived is in ".NAME.download"; a fetch
 * that was interrupted goes on from there.
 */
public final class DataStore {
  private final Path dataDir;
  private final Downloader downloader;

  /**
   * A store.
   *
   * @param dataDir its folder; null: $XDG_CACHE_HOME/layerwise, by default ~/.cache/layerwise
   */
  public DataStore(Path dataDir) {
    this(dataDir, new Downloader());
  }

  DataStore(Path dataDir, Downloader downloader) {
    this.dataDir = dataDir;
    this.downloader = downloader;
  }

  /**
   * Downloads, unpacks and installs a data set, unless a whole copy is installed already.
   *
   * @param mirror the folder to download from, with the file names that the authors use; null: where they offer it.
   *     The files must be the same.
   * @return the folder with the data set; empty for a data set that comes with Layerwise
   * @throws DataException if the name is not known or the files cannot be installed
   * @throws dev.layerwise.data.download.DownloadException if they cannot be downloaded
   */
  public Optional<Path> fetch(String name, URI mirror, DownloadListener listener) {
    Catalog.Entry entry = Catalog.entry(name);
    return entry.info().embedded() ? Optional.empty() : Optional.of(fetch(entry, mirror, listener));
  }

  /** As above, for a data set of which there are files to download. */
  Path fetch(Catalog.Entry entry, URI mirror, DownloadListener listener) {
    String name = entry.info().name();
    Path root = dataDir == null ? DataSets.LOCATOR.cache() : dataDir;
    Path target = root.resolve(name);
    if (isWhole(entry, target, listener)) {
      return target;
    }
    Path work = root.resolve("." + name + ".download");
    try {
      Files.createDirectories(work);
      try (FileChannel lock = lock(work)) {
        download(entry, mirror == null ? entry.download().base() : mirror, work, target, listener);
        install(work.resolve("content"), target);
        deleteAll(work);
      }
    } catch (IOException e) {
      throw new DataException("Cannot install " + entry.info().title() + " in " + root + ": " + FileErrors.reason(e)
          + "; make room or correct the permissions, or choose another folder.", e);
    }
    return target;
  }

  /**
   * Checks a copy, wherever it is found: by the md5 that its authors published, where the files are still packed as
   * they offer them, by those that were written down when it was unpacked, or otherwise by what is inside.
   *
   * @throws DataException if there is none or it is not whole
   */
  public Verification verify(String name) {
    Catalog.Entry entry = Catalog.entry(name);
    if (DataSets.usesEmbedded(entry, dataDir)) {
      return DataVerifier.verifyEmbedded(entry.info());
    }
    return DataVerifier.verify(entry, DataSets.LOCATOR.require(entry, dataDir, Part.ALL));
  }

  private static boolean isWhole(Catalog.Entry entry, Path target, DownloadListener listener) {
    Optional<Path> location =
        Files.isDirectory(target) ? DataSets.LOCATOR.locate(entry, target, Part.ALL) : Optional.empty();
    if (location.isEmpty()) {
      return false;
    }
    try {
      DataVerifier.verify(entry, location.get());
      return true;
    } catch (DataException e) {
      listener.notice(e.getMessage());
      return false;
    }
  }

  private static FileChannel lock(Path work) throws IOException {
    FileChannel channel = FileChannel.open(work.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      if (channel.tryLock() != null) {
        return channel;
      }
    } catch (OverlappingFileLockException e) {
      // Held by this process: the same answer.
    }
    channel.close();
    throw new DataException(work + " is in use: another process fetches this data set; wait for it to end.");
  }

  /** Brings everything that is to be installed into the folder "content". */
  private void download(Catalog.Entry entry, URI base, Path work, Path target, DownloadListener listener)
      throws IOException {
    Path content = Files.createDirectories(work.resolve("content"));
    for (RemoteFile file : entry.download().files()) {
      URI source = URI.create(base.toString().replaceFirst("/*$", "/") + file.name());
      Path place = (file.archive() ? work : content).resolve(file.name());
      if (!DataVerifier.matches(place, file) && !isInstalled(file, target)) {
        downloader.download(source, place, file.md5(), listener);
      }
      if (file.archive()) {
        deleteAll(content);
        List<Path> files = TarUnpacker.unpack(place, Files.createDirectory(content), entry.layout().files()::contains);
        checkComplete(entry, place, files);
        InstalledChecksums.write(content, files);
        Files.delete(place);
      }
    }
  }

  private static void checkComplete(Catalog.Entry entry, Path archive, List<Path> unpacked) {
    List<String> missing = new ArrayList<>(entry.layout().files());
    unpacked.forEach(file -> missing.remove(file.getFileName().toString()));
    if (!missing.isEmpty()) {
      throw new DataException(archive + " lacks " + String.join(", ", missing) + "; get the archive of "
          + entry.info().title() + " from its authors.");
    }
  }

  private static boolean isInstalled(RemoteFile file, Path target) {
    return !file.archive() && DataVerifier.matches(target.resolve(file.name()), file);
  }

  /** In one step where there is nothing yet; into a folder with other or damaged files, file by file. */
  private static void install(Path content, Path target) throws IOException {
    if (!Files.exists(target)) {
      Files.move(content, target, StandardCopyOption.ATOMIC_MOVE);
      return;
    }
    List<Path> files;
    try (Stream<Path> tree = Files.walk(content)) {
      files = tree.filter(Files::isRegularFile).toList();
    }
    for (Path file : files) {
      Path place = target.resolve(content.relativize(file));
      Files.createDirectories(place.getParent());
      Files.move(file, place, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }
  }

  private static void deleteAll(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    List<Path> deepestFirst;
    try (Stream<Path> tree = Files.walk(folder)) {
      deepestFirst = tree.sorted(Comparator.reverseOrder()).toList();
    }
    for (Path path : deepestFirst) {
      Files.delete(path);
    }
  }
}
