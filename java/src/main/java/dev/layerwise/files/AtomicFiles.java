package dev.layerwise.files;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.UUID;

/** Files that are replaced as a whole: a reader, or a machine that lost power, sees the old content or the new. */
public final class AtomicFiles {
  private static final int BUFFER_BYTES = 1 << 16;
  private static final String PREFIX = ".layerwise-";
  private static final String SUFFIX = ".tmp";

  private AtomicFiles() {}

  /** Writes a file's content. */
  @FunctionalInterface
  public interface Content {
    /** Writes everything; need not flush or close. */
    void writeTo(OutputStream out) throws IOException;
  }

  /** Writes a file's content, not necessarily from its beginning to its end. */
  @FunctionalInterface
  public interface ChannelContent {
    /** Writes everything; need not flush or close. */
    void writeTo(FileChannel channel) throws IOException;
  }

  /**
   * Writes the content under a temporary name in the same folder, brings it to the disk, and renames it. If anything
   * fails, the temporary file is removed and what was at {@code path} stays as it was.
   *
   * @throws FileException if the file cannot be written; names the path and the cause
   */
  public static void write(Path path, Content content) {
    writeTo(path, channel -> {
      OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel), BUFFER_BYTES);
      content.writeTo(out);
      out.flush();
    });
  }

  /** As {@link #write}, for content that is not written from beginning to end. */
  public static void writeTo(Path asked, ChannelContent content) {
    Path path = target(asked);
    Path folder = path.toAbsolutePath().getParent();
    if (folder == null || Files.isDirectory(path)) {
      throw new FileException("Cannot write " + path + ": it is a folder, not a file.");
    }
    if (!Files.isDirectory(folder)) {
      throw new FileException("Cannot write " + path + ": " + folder
          + (Files.exists(folder) ? " is a file, not a folder." : " does not exist or is not reachable."));
    }
    Path temporary = folder.resolve(PREFIX + UUID.randomUUID() + SUFFIX);
    try {
      writeAndReplace(temporary, path, content);
    } catch (IOException e) {
      throw new FileException("Cannot write " + path + ": " + FileErrors.reason(e) + ".", e);
    }
    flushFolder(folder);
  }

  /**
   * Removes what writers that were killed have left in a folder. The caller makes sure that no other is at work there.
   *
   * @throws IOException if the folder cannot be read or a file not removed
   */
  public static void removeLeftovers(Path folder) throws IOException {
    try (DirectoryStream<Path> leftovers = Files.newDirectoryStream(folder, PREFIX + "*" + SUFFIX)) {
      for (Path leftover : leftovers) {
        Files.deleteIfExists(leftover);
      }
    }
  }

  /** What a link stands for: it is replaced, not the link. Throws for what is no file, folder or absent. */
  private static Path target(Path path) {
    if (Files.isDirectory(path) || !Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
      return path;
    }
    if (!Files.isRegularFile(path)) { // a device, or a link to one or to nothing
      throw new FileException("Cannot write " + path + ": it is not a regular file.");
    }
    try {
      return Files.isSymbolicLink(path) ? path.toRealPath() : path;
    } catch (IOException e) {
      throw new FileException("Cannot write " + path + ": " + FileErrors.reason(e) + ".", e);
    }
  }

  private static void writeAndReplace(Path temporary, Path path, ChannelContent content) throws IOException {
    FileChannel channel = FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    boolean replaced = false;
    try {
      try (channel) {
        content.writeTo(channel);
        channel.force(true);
      }
      Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      replaced = true;
    } finally {
      if (!replaced) {
        Files.deleteIfExists(temporary);
      }
    }
  }

  /**
   * Brings the rename to the disk. Some network file systems refuse to flush a folder; then a loss of power may bring
   * back the old file, which is whole as well, so this is not a failure.
   */
  private static void flushFolder(Path folder) {
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    } catch (IOException e) {
      System.getLogger(AtomicFiles.class.getName()).log(System.Logger.Level.DEBUG, "cannot flush " + folder, e);
    }
  }
}
