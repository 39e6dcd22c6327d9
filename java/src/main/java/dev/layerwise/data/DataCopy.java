package dev.layerwise.data;

import dev.layerwise.files.FileErrors;
import dev.layerwise.files.FileException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Optional;
import java.util.function.LongConsumer;

/** A copy of a data set on disk. Files of it are opened here, so that a listener hears how far reading has come. */
final class DataCopy {
  private static final LongConsumer UNCOUNTED = bytes -> {};

  private final Path location;
  private final DataSetInfo info;
  private final UnpackedFiles unpacked;
  private final ReadingListener listener;
  private long total; // guarded by this, as is what follows
  private long read;

  /**
   * A copy where {@link DataSetLayout#inspect} found it complete.
   *
   * @param location a folder, or the archive
   * @param unpacked where plain copies of its files are kept; {@code null}: read only the files themselves
   */
  DataCopy(Path location, DataSetInfo info, UnpackedFiles unpacked, ReadingListener listener) {
    this.location = location;
    this.info = info;
    this.unpacked = unpacked;
    this.listener = listener;
  }

  Path location() {
    return location;
  }

  DataSetInfo info() {
    return info;
  }

  /** Says which files of the folder will be read, so that the listener knows how much it will be. */
  synchronized void expect(Collection<String> names) {
    for (String name : names) {
      expect(DataFile.find(location, name).map(source -> plain(source).orElse(source)).orElse(location));
    }
  }

  private void expect(Path file) {
    try {
      total += Files.size(file);
    } catch (IOException e) {
      System.getLogger(DataCopy.class.getName()).log(System.Logger.Level.DEBUG, "cannot ask for the size of " + file, e);
    }
  }

  /** The archive itself. */
  DataFile open() {
    synchronized (this) {
      expect(location);
    }
    return DataFile.open(location, this::count);
  }

  /** A file of the folder, whatever it is packed with. */
  DataFile open(String name) {
    Path source = DataFile.find(location, name).orElse(location.resolve(name));
    Optional<Path> plain = plain(source);
    if (plain.isPresent()) {
      return DataFile.open(plain.get(), this::count);
    }
    return unpacked != null && UnpackedFiles.concerns(source)
        ? unpack(source)
        : DataFile.open(source, this::count);
  }

  private Optional<Path> plain(Path source) {
    return unpacked == null ? Optional.empty() : unpacked.find(source);
  }

  /** Unpacks a file, for this time and those that come. */
  private DataFile unpack(Path source) {
    notice("unpacking " + source + " once; the plain copy is kept in " + unpacked.folder());
    try (DataFile packed = DataFile.open(source, this::count)) {
      long most = (info.trainCount() + info.testCount()) * 2L * info.pixelsPerImage();
      try {
        return DataFile.open(unpacked.make(source, packed.stream(), most), UNCOUNTED);
      } catch (FileException e) {
        notice("no plain copy is kept: " + e.getMessage());
      } catch (UncheckedIOException e) {
        throw packed.damaged(e.getCause());
      } catch (IOException e) {
        notice("no plain copy is kept: " + FileErrors.reason(e));
      }
    }
    return DataFile.open(source, UNCOUNTED);
  }

  private synchronized void notice(String sentence) {
    listener.notice(sentence);
  }

  private synchronized void count(long bytes) {
    read += bytes;
    listener.read(read, total);
  }
}
