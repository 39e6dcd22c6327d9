package dev.layerwise.data.download;

import dev.layerwise.files.FileErrors;
import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;

/** Unpacks .tar.gz archives that come from outside. */
public final class TarUnpacker {
  private static final int BUFFER_BYTES = 1 << 16;

  private TarUnpacker() {}

  /**
   * Unpacks files into a folder that is empty or not there, and nowhere else: an archive with a link, a device, or a
   * name that leads out of the folder is refused as a whole, also where that file is not wanted. What was unpacked
   * before the refusal stays in the folder, which the caller throws away.
   *
   * @param wanted takes a file's name without its folders
   * @return paths of the unpacked files within the folder, in the archive's order
   * @throws DownloadException if the archive is damaged or refused, or the disk does not take the files
   */
  public static List<Path> unpack(Path archive, Path folder, Predicate<String> wanted) {
    List<Path> unpacked = new ArrayList<>();
    try (InputStream file = new BufferedInputStream(Files.newInputStream(archive), BUFFER_BYTES);
        InputStream packed = new GZIPInputStream(file, BUFFER_BYTES)) {
      TarArchiveInputStream tar = new TarArchiveInputStream(packed);
      for (TarArchiveEntry entry = next(archive, tar); entry != null; entry = next(archive, tar)) {
        Path path = checkedPath(archive, entry);
        if (!entry.isDirectory() && wanted.test(path.getFileName().toString())) {
          write(archive, tar, folder.resolve(path));
          unpacked.add(path);
        }
      }
      // Only at its end does gzip compare its checksum.
      packed.transferTo(OutputStream.nullOutputStream());
    } catch (EOFException | ZipException e) {
      throw damaged(archive, e);
    } catch (IOException e) {
      throw new DownloadException("Cannot unpack " + archive + ": " + FileErrors.reason(e)
          + "; make room or correct the permissions, or choose another folder.", e);
    }
    return unpacked;
  }

  private static TarArchiveEntry next(Path archive, TarArchiveInputStream tar) {
    try {
      return tar.getNextEntry();
    } catch (IOException e) {
      throw damaged(archive, e);
    }
  }

  private static DownloadException damaged(Path archive, IOException e) {
    return new DownloadException(archive + " is damaged (" + FileErrors.reason(e) + "); download it again.", e);
  }

  private static Path checkedPath(Path archive, TarArchiveEntry entry) {
    String name = entry.getName();
    if (entry.isLink() || entry.isSymbolicLink() || entry.isBlockDevice() || entry.isCharacterDevice()
        || entry.isFIFO()) {
      throw refused(archive, name, "is a link or a device");
    }
    Path path;
    try {
      path = Path.of(name);
    } catch (InvalidPathException e) {
      throw refused(archive, name, "has a name that is not allowed");
    }
    if (name.isEmpty() || path.isAbsolute() || name.startsWith("\\") || name.matches("(?s)[A-Za-z]:.*")) {
      throw refused(archive, name, "has an absolute path");
    }
    for (String step : name.split("[/\\\\]")) {
      if (step.equals("..")) {
        throw refused(archive, name, "leads out of its folder");
      }
    }
    return path.normalize();
  }

  private static DownloadException refused(Path archive, String name, String why) {
    return new DownloadException(archive + " is refused, nothing of it is used: its entry '" + name + "' " + why
        + "; get the archive from a source that you trust.");
  }

  private static void write(Path archive, InputStream in, Path file) throws IOException {
    Files.createDirectories(file.getParent());
    try (OutputStream out = Files.newOutputStream(file, StandardOpenOption.CREATE_NEW,
        StandardOpenOption.WRITE)) {
      byte[] buffer = new byte[BUFFER_BYTES];
      for (int count = read(archive, in, buffer); count >= 0; count = read(archive, in, buffer)) {
        out.write(buffer, 0, count);
      }
    } catch (FileAlreadyExistsException e) {
      throw new DownloadException(archive + " is refused: it holds " + file.getFileName() + " twice; get the archive "
          + "from a source that you trust.", e);
    }
  }

  /** Reads apart from writing, so that a damaged archive is not taken for a full disk. */
  private static int read(Path archive, InputStream in, byte[] buffer) {
    try {
      return in.read(buffer);
    } catch (IOException e) {
      throw damaged(archive, e);
    }
  }
}
