package dev.layerwise.data.stream;

import dev.layerwise.FileErrors;
import dev.layerwise.data.DataException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A folder of images per class, as ImageNet is usually kept: DIR/train/CLASS/*.jpg and DIR/val/CLASS/*.jpg, or test
 * instead of val. Classes are numbered in the order of their folders' names, images follow the order of theirs. Files
 * end in .jpg, .jpeg or .png; others, and what begins with a dot, are passed over.
 *
 * @param train to learn from: random resized crops, half of them mirrored
 * @param test to judge by: the centres
 */
public record ImageFolder(StreamedImages train, StreamedImages test) {
  /** What runs call their data set where it is such a folder. */
  public static final String NAME = "image-folder";

  /**
   * Lists the files; looks into none of them.
   *
   * @throws DataException if folders are missing, a class has no images or is only among the test images
   */
  public static ImageFolder open(Path dir, StreamOptions options) {
    Path train = subfolder(dir, "train");
    Path test = subfolder(dir, "val", "test");
    List<String> classes = classes(train);
    List<String> unknown = new ArrayList<>(classes(test));
    unknown.removeAll(classes);
    if (!unknown.isEmpty()) {
      throw new DataException(test + " has the class " + unknown.get(0) + ", which " + train
          + " does not have; both need the same folders.");
    }
    return new ImageFolder(new StreamedImages(list(train, classes, true), classes, true, options),
        new StreamedImages(list(test, classes, false), classes, false, options));
  }

  /** The first that is there. */
  private static Path subfolder(Path dir, String... names) {
    for (String name : names) {
      if (Files.isDirectory(dir.resolve(name))) {
        return dir.resolve(name);
      }
    }
    throw new DataException(dir + " has no folder " + String.join(" or ", names) + "; a folder of images needs "
        + "train/CLASS/*.jpg and val/CLASS/*.jpg.");
  }

  private static List<String> classes(Path folder) {
    List<String> classes = names(folder).stream().filter(name -> Files.isDirectory(folder.resolve(name))).toList();
    if (classes.isEmpty()) {
      throw new DataException(folder + " has no folders; it needs one for each class.");
    }
    return classes;
  }

  private static ImageFiles list(Path folder, List<String> classes, boolean everyClass) {
    String[][] names = new String[classes.size()][];
    for (int i = 0; i < names.length; i++) {
      Path classFolder = folder.resolve(classes.get(i));
      names[i] = Files.isDirectory(classFolder)
          ? names(classFolder).stream().filter(ImageReader::isImage).toArray(String[]::new) : new String[0];
      if (everyClass && names[i].length == 0) {
        throw new DataException(classFolder + " has no .jpg, .jpeg or .png files; remove the folder or fill it.");
      }
    }
    if (Arrays.stream(names).allMatch(list -> list.length == 0)) {
      throw new DataException(folder + " has no .jpg, .jpeg or .png files in its folders.");
    }
    return new ImageFiles(folder, classes, names);
  }

  private static List<String> names(Path folder) {
    List<String> names = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder)) {
      for (Path entry : entries) {
        names.add(entry.getFileName().toString());
      }
    } catch (IOException e) {
      throw new DataException("Cannot list " + folder + ": " + FileErrors.reason(e) + ".", e);
    }
    names.removeIf(name -> name.startsWith("."));
    names.sort(null);
    return names;
  }
}
