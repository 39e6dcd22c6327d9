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
  public static void writeTo(Path path, ChannelContent content) {
    begin(path, content).finish();
  }

  /**
   * The first half of {@link #writeTo}: the content lies under a temporary name, perhaps not yet on the disk. The second half,
   * which takes the disk's time, may be another thread's.
   *
   * @return to be finished or discarded
   * @throws FileException as {@link #write}; nothing is left to do then
   */
  public static Unfinished begin(Path asked, ChannelContent content) {
    Path path = target(asked);
    Path folder = path.toAbsolutePath().getParent();
    if (folder == null || Files.isDirectory(path)) {
      throw new FileException("Cannot write " + path + ": it is a folder, not a file.");
    }
    if (!Files.isDirectory(folder)) {
      throw new FileException("Cannot write " + path + ": " + folder
          + (Files.exists(folder) ? " is a file, not a folder." : " does not exist or is not reachable."));
    }
    Unfinished file = new Unfinished(path, folder.resolve(PREFIX + UUID.randomUUID() + SUFFIX));
    file.write(content);
    return file;
  }

  /** A file whose content is written, under a temporary name. */
  public static final class Unfinished {
    private final Path path;
    private final Path temporary;
    private FileChannel channel;

    private Unfinished(Path path, Path temporary) {
      this.path = path;
      this.temporary = temporary;
    }

    private void write(ChannelContent content) {
      boolean written = false;
      try {
        channel = FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        content.writeTo(channel);
        written = true;
      } catch (IOException e) {
        throw failure(e);
      } finally {
        if (!written) {
          discard();
        }
      }
    }

    /**
     * Brings the content to the disk and gives it its name.
     *
     * @throws FileException if that fails; the temporary file is removed then
     */
    public void finish() {
      boolean replaced = false;
      try {
        try (FileChannel open = channel) {
          open.force(true);
        }
        Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        replaced = true;
      } catch (IOException e) {
        throw failure(e);
      } finally {
        if (!replaced) {
          discard();
        }
      }
      flushFolder(path.toAbsolutePath().getParent());
    }

    /** Removes the temporary file; what was at the path stays as it was. */
    public void discard() {
      try {
        if (channel != null) {
          channel.close();
        }
        Files.deleteIfExists(temporary);
      } catch (IOException e) { // the next writer in the folder removes what is left
        System.getLogger(AtomicFiles.class.getName()).log(System.Logger.Level.DEBUG, "cannot remove " + temporary, e);
      }
    }

    private FileException failure(IOException e) {
      return new FileException("Cannot write " + path + ": " + FileErrors.reason(e) + ".", e);
    }
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
