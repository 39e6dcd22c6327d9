package dev.layerwise.data.stream;

import java.nio.file.Path;
import java.util.List;

/** The files of an image folder, numbered class by class. Keeps short paths only: ImageNet has 1.3 million. */
final class ImageFiles {
  private final Path folder;
  private final List<Path> folders;
  private final Path[][] files;
  /** Number of the first file of each class, and at the end the number of files. */
  private final int[] starts;

  /**
   * Files.
   *
   * @param folder of all classes
   * @param folders one of each class, in that folder; null where there is none
   * @param files for each class the paths from its folder on
   */
  ImageFiles(Path folder, List<Path> folders, Path[][] files) {
    this.folder = folder;
    this.folders = folders;
    this.files = files;
    this.starts = new int[files.length + 1];
    for (int i = 0; i < files.length; i++) {
      starts[i + 1] = starts[i] + files[i].length;
    }
  }

  /** What {@link #path}s are below. */
  Path folder() {
    return folder;
  }

  int count() {
    return starts[files.length];
  }

  /** Number of files of a class. */
  int count(int label) {
    return files[label].length;
  }

  /** Class of a file. */
  int label(int index) {
    int low = 0;
    int high = files.length - 1;
    while (low < high) {
      int middle = (low + high + 1) >>> 1;
      if (starts[middle] <= index) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }

  Path path(int index) {
    int label = label(index);
    return folders.get(label).resolve(files[label][index - starts[label]]);
  }
}
