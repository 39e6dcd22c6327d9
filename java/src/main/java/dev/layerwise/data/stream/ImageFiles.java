package dev.layerwise.data.stream;

import java.nio.file.Path;
import java.util.List;

/** The files of an image folder, numbered class by class. Keeps names only: ImageNet has 1.3 million. */
final class ImageFiles {
  private final Path folder;
  private final List<String> classes;
  private final String[][] names;
  /** Number of the first file of each class, and at the end the number of files. */
  private final int[] starts;

  /**
   * Files.
   *
   * @param names for each class the names in its folder
   */
  ImageFiles(Path folder, List<String> classes, String[][] names) {
    this.folder = folder;
    this.classes = classes;
    this.names = names;
    this.starts = new int[names.length + 1];
    for (int i = 0; i < names.length; i++) {
      starts[i + 1] = starts[i] + names[i].length;
    }
  }

  /** What {@link #path}s are below. */
  Path folder() {
    return folder;
  }

  int count() {
    return starts[names.length];
  }

  /** Class of a file. */
  int label(int index) {
    int low = 0;
    int high = names.length - 1;
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
    return folder.resolve(classes.get(label)).resolve(names[label][index - starts[label]]);
  }
}
