package dev.layerwise.data.download;

import java.io.Closeable;
import java.io.IOException;
import java.net.http.HttpHeaders;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/**
 * The part of a file that has arrived, FILE.part, and beside it FILE.part.validator, what the server called the version
 * that it is a part of: only that same version may be gone on with.
 */
final class PartFile implements Closeable {
  private final Path path;
  private final Path validatorPath;
  private final FileChannel channel;
  private long length;

  private PartFile(Path path, Path validatorPath, FileChannel channel, long length) {
    this.path = path;
    this.validatorPath = validatorPath;
    this.channel = channel;
    this.length = length;
  }

  static Path of(Path target) {
    return target.resolveSibling(target.getFileName() + ".part");
  }

  static PartFile open(Path target) throws IOException {
    Path path = of(target);
    FileChannel channel = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    long length = channel.size();
    channel.position(length);
    return new PartFile(path, path.resolveSibling(path.getFileName() + ".validator"), channel, length);
  }

  Path path() {
    return path;
  }

  /** Bytes that have arrived. */
  long length() {
    return length;
  }

  /** For the header If-Range; empty if the part is empty or the server gave nothing to tell versions apart by. */
  Optional<String> validator() throws IOException {
    if (length == 0 || !Files.exists(validatorPath)) {
      return Optional.empty();
    }
    return Optional.of(Files.readString(validatorPath)).filter(value -> !value.isEmpty());
  }

  /** Begins anew with a version of the file. */
  void restart(HttpHeaders headers) throws IOException {
    channel.truncate(0);
    channel.position(0);
    length = 0;
    Files.writeString(validatorPath, validator(headers).orElse(""));
  }

  /** The entity tag, or the date of the last change where there is none or the tag is weak, as If-Range demands. */
  private static Optional<String> validator(HttpHeaders headers) {
    return headers.firstValue("ETag").filter(tag -> tag.startsWith("\"")).or(() -> headers.firstValue("Last-Modified"));
  }

  void append(ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      length += channel.write(bytes);
    }
  }

  /** Bytes that the disk still takes. */
  long usableSpace() throws IOException {
    return Files.getFileStore(path).getUsableSpace();
  }

  /** Removes what has arrived. */
  static void discard(Path target) throws IOException {
    Path part = of(target);
    Files.deleteIfExists(part);
    Files.deleteIfExists(part.resolveSibling(part.getFileName() + ".validator"));
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
