package dev.layerwise.data;

import java.net.URI;
import java.util.ArrayList;
import java.util.List;

/**
 * What its authors offer a data set as.
 *
 * @param base address of the folder that has the files, with a slash at the end
 * @param files the files; none for a data set that comes with Layerwise
 * @param hint another way to get them, to follow a clause; may be empty
 */
record Download(URI base, List<RemoteFile> files, String hint) {
  /** For a data set that comes with Layerwise. */
  static final Download NONE = new Download(URI.create(""), List.of(), "");

  /**
   * One file.
   *
   * @param md5 of the file as it is offered, in lower-case hexadecimal digits
   * @param archive whether it is a packed tar archive, to be unpacked; other files are read as they are
   */
  record RemoteFile(String name, String md5, boolean archive) {}

  /** MNIST's four files and their md5 in the order of {@link IdxLayout#files}. */
  static Download ofIdx(String base, String... md5) {
    List<String> names = new IdxLayout().files();
    List<RemoteFile> files = new ArrayList<>();
    for (int i = 0; i < names.size(); i++) {
      files.add(file(names.get(i) + ".gz", md5[i]));
    }
    return new Download(URI.create(base), List.copyOf(files), "");
  }

  /** Files that are read as they are. */
  static Download ofFiles(String base, RemoteFile... files) {
    return new Download(URI.create(base), List.of(files), "");
  }

  static RemoteFile file(String name, String md5) {
    return new RemoteFile(name, md5, false);
  }

  static Download ofArchive(String base, String name, String md5) {
    return new Download(URI.create(base), List.of(new RemoteFile(name, md5, true)), "");
  }

  Download withHint(String another) {
    return new Download(base, files, another);
  }

  /** What to download, to follow a verb. */
  String describe() {
    return files.size() == 1
        ? base.resolve(files.get(0).name()).toString()
        : String.join(", ", files.stream().map(RemoteFile::name).toList()) + " from " + base;
  }
}
