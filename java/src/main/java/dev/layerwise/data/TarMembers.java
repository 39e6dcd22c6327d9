package dev.layerwise.data;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;

/** Reads files of a packed tar archive where it lies; nothing is written to the disk. */
final class TarMembers {
  private TarMembers() {}

  /**
   * What the reader makes of each wanted file, in the archive's order.
   *
   * @param wanted file names; the folders that the archive has them in do not matter
   * @throws DataException if the archive is damaged or a file is not in it
   */
  static <T> Map<String, T> read(Path archive, List<String> wanted, DataSetInfo info, DataSetLayout.Reader<T> reader) {
    Map<String, T> members = new LinkedHashMap<>();
    try (DataFile packed = DataFile.open(archive)) {
      try {
        TarArchiveInputStream tar = new TarArchiveInputStream(packed.stream());
        for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
          String name = entry.getName().substring(entry.getName().lastIndexOf('/') + 1);
          if (entry.isFile() && wanted.contains(name)) {
            members.put(name, reader.read(DataFile.member(packed, name, tar), name));
          }
        }
        // Only at its end does gzip compare its checksum.
        packed.stream().transferTo(OutputStream.nullOutputStream());
      } catch (IOException e) {
        throw packed.damaged(e);
      }
    }
    List<String> missing = wanted.stream().filter(name -> !members.containsKey(name)).toList();
    if (!missing.isEmpty()) {
      throw new DataException(archive + " lacks " + String.join(", ", missing) + ", so it is not the binary version of "
          + info.title() + "; download it again.");
    }
    return members;
  }
}
