package dev.layerwise.data;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;

/** Loose files (plain, .gz or .xz), or the official archive, a packed tar that is read where it lies, in one pass. */
interface ArchiveLayout extends DataSetLayout {
  /** Collects the images of a part, file by file. */
  interface PartReader {
    /**
     * Reads one of the part's files; an archive may have them in any order.
     *
     * @param name as in {@link #files}
     */
    void read(DataFile file, String name);

    /** The images, once all files are read. */
    ImageSet images();
  }

  /** Name of the official archive. */
  String archiveName();

  /** Begins to read a part. */
  PartReader reader(DataSetInfo info, Part part);

  @Override
  default Presence inspect(Path folder, Set<Part> parts) {
    Presence loose = DataSetLayout.super.inspect(folder, parts);
    Path archive = folder.resolve(archiveName());
    return loose.complete() || !Files.exists(archive) ? loose : new Presence(archive, true, List.of());
  }

  @Override
  default Map<Part, ImageSet> load(DataCopy copy, Set<Part> parts) {
    if (copy.location().endsWith(archiveName())) {
      return loadArchive(copy, parts);
    }
    copy.expect(files(parts));
    return Part.each(parts, part -> {
      PartReader reader = reader(copy.info(), part);
      for (String name : files(part)) {
        try (DataFile file = copy.open(name)) {
          reader.read(file, name);
        }
      }
      return reader.images();
    });
  }

  /** Nothing is written to the disk. The folders that the archive has its files in do not matter. */
  private Map<Part, ImageSet> loadArchive(DataCopy copy, Set<Part> parts) {
    Map<Part, PartReader> readers =
        parts.stream().collect(Collectors.toMap(part -> part, part -> reader(copy.info(), part)));
    Set<String> missing = new HashSet<>(files(parts));
    try (DataFile packed = copy.open()) {
      try {
        TarArchiveInputStream tar = new TarArchiveInputStream(packed.stream());
        for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
          String name = entry.getName().substring(entry.getName().lastIndexOf('/') + 1);
          if (entry.isFile() && missing.remove(name)) {
            Part part = parts.stream().filter(one -> files(one).contains(name)).findFirst().orElseThrow();
            readers.get(part).read(DataFile.member(packed, name, tar), name);
          }
        }
        // Only at its end does gzip compare its checksum.
        packed.stream().transferTo(OutputStream.nullOutputStream());
      } catch (IOException e) {
        throw packed.damaged(e);
      }
    }
    if (!missing.isEmpty()) {
      String names = files(parts).stream().filter(missing::contains).collect(Collectors.joining(", "));
      throw new DataException(copy.location() + " lacks " + names + ", so it is not the binary version of "
          + copy.info().title() + "; download it again.");
    }
    Map<Part, ImageSet> images = new TreeMap<>();
    readers.forEach((part, reader) -> images.put(part, reader.images()));
    return images;
  }
}
