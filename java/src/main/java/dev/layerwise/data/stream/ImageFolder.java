package dev.layerwise.data.stream;

import dev.layerwise.data.DataException;
import dev.layerwise.data.DataSet;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.DataSets;
import dev.layerwise.files.FileNames;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A folder of images per class, as ImageNet is usually kept: DIR/train/CLASS and DIR/val/CLASS, or test instead of val.
 * Classes are numbered in the order of their folders' names; images lie in a class's folder or in folders below, and
 * follow the order of their paths. {@link FolderListing} says what is an image. Training images are usually random
 * resized crops, half of them mirrored; test images are the centres.
 */
public final class ImageFolder {
  /** What runs call their data set where it is such a folder. */
  public static final String NAME = DataSets.IMAGE_FOLDER;

  private ImageFolder() {}

  /**
   * Lists the files; looks into none of them.
   *
   * @throws DataException if folders are missing or cannot be read, a class has no images or is only among the test
   *     images
   */
  public static DataSet<StreamedImages> open(Path dir, StreamOptions options) {
    FolderListing listing = new FolderListing();
    Path train = subfolder(dir, "train");
    Path test = subfolder(dir, "val", "test");
    Map<String, Path> trainFolders = classFolders(train, listing);
    Map<String, Path> testFolders = classFolders(test, listing);
    List<String> classes = List.copyOf(trainFolders.keySet());
    for (String name : testFolders.keySet()) {
      if (!trainFolders.containsKey(name)) {
        throw new DataException(FileNames.text(test) + " has the class " + name + ", which " + FileNames.text(train)
            + " does not have; both need the same folders.");
      }
    }
    ImageFiles trainFiles = list(train, classes, trainFolders, listing);
    ImageFiles testFiles = list(test, classes, testFolders, listing);
    for (int i = 0; i < classes.size(); i++) {
      if (trainFiles.count(i) == 0) {
        throw new DataException(FileNames.text(trainFolders.get(classes.get(i))) + " has no " + FolderListing.KINDS
            + listing.leftOut("; skipped: ") + "; remove the folder or fill it.");
      }
    }
    if (testFiles.count() == 0) {
      throw new DataException(FileNames.text(test) + " has no " + FolderListing.KINDS + " in its folders"
          + listing.leftOut("; skipped: ") + ".");
    }
    if (options.strict() && listing.hasUnreadable()) {
      throw new DataException(
          "Not all folders in " + FileNames.text(dir) + " can be read; skipped" + listing.leftOut(": ") + ".");
    }
    String leftOut = listing.leftOut("skipped in " + FileNames.text(dir) + ": ");
    if (!leftOut.isEmpty()) {
      options.skipped().accept(leftOut);
    }
    StreamedImages trainImages = new StreamedImages(trainFiles, classes, true, options);
    DataSetInfo info =
        new DataSetInfo(
            NAME, "the images in " + dir, trainImages.channels(), options.size(), options.size(), trainFiles.count(),
            testFiles.count(), classes, trainImages.mean(), trainImages.deviation(), 0, true, false, options.testResize());
    return new DataSet<>(info, trainImages, new StreamedImages(testFiles, classes, false, options));
  }

  /** The first that is there. */
  private static Path subfolder(Path dir, String... names) {
    for (String name : names) {
      if (Files.isDirectory(dir.resolve(name))) {
        return dir.resolve(name);
      }
    }
    throw new DataException(FileNames.text(dir) + " has no folder " + String.join(" or ", names)
        + "; a folder of images needs train/CLASS/*.jpg and val/CLASS/*.jpg.");
  }

  /** By their names, and in the order of these. */
  private static Map<String, Path> classFolders(Path folder, FolderListing listing) {
    Map<String, Path> folders = new LinkedHashMap<>();
    for (Path classFolder : listing.classFolders(folder)) {
      String name = FileNames.text(classFolder.getFileName());
      if (folders.put(name, classFolder) != null) {
        throw new DataException(FileNames.text(folder) + " has two folders that are both " + name
            + " in UTF-8; rename one of them.");
      }
    }
    if (folders.isEmpty()) {
      throw new DataException(FileNames.text(folder) + " has no folders; it needs one for each class.");
    }
    return folders;
  }

  private static ImageFiles list(
      Path parent, List<String> classes, Map<String, Path> folders, FolderListing listing) {
    List<Path> classFolders = new ArrayList<>();
    Path[][] files = new Path[classes.size()][];
    for (int i = 0; i < files.length; i++) {
      Path folder = folders.get(classes.get(i));
      classFolders.add(folder);
      files[i] = folder == null ? new Path[0]
          : listing.images(folder).stream().map(folder::relativize).toArray(Path[]::new);
    }
    return new ImageFiles(parent, classFolders, files);
  }
}
