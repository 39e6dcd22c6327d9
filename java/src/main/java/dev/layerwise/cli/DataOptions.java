package dev.layerwise.cli;

import dev.layerwise.data.DataSet;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.DataSets;
import dev.layerwise.data.Images;
import dev.layerwise.data.Part;
import dev.layerwise.data.stream.ImageFolder;
import dev.layerwise.data.stream.StreamOptions;
import dev.layerwise.data.stream.StreamedImages;
import dev.layerwise.run.DataPlace;
import dev.layerwise.run.RunDirectory;
import dev.layerwise.train.Communicator;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;
import picocli.CommandLine.Option;

/** The data set and where it is. */
final class DataOptions {
  /** The data set made of a folder of the user's own images. */
  static final String IMAGE_FOLDER = ImageFolder.NAME;

  static final String NO_EXIF = "--no-exif";
  static final String NO_EXIF_DESCRIPTION =
      "Use the pixels of image files as stored; do not rotate them according to the camera's EXIF orientation.";

  /** Candidates for completion and help. */
  static final class Names extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Names() {
      super(DataSets.names());
      add(IMAGE_FOLDER);
    }
  }

  @Option(
      names = "--dataset",
      paramLabel = "NAME",
      completionCandidates = Names.class,
      description = "One of ${COMPLETION-CANDIDATES}. Default: ${bundle:default.dataset}.")
  String dataset;

  @Option(
      names = "--data-dir",
      paramLabel = "DIR",
      description = "Folder with the data set's files in their original format; for image-folder, the folder with"
          + " train/CLASS/*.jpg and val/CLASS/*.jpg (or .png, .gif, .bmp, .tif). Default: for a run, where its data was;"
          + " otherwise $LAYERWISE_DATA and the usual places, shown by 'layerwise doctor'.")
  Path dataDir;

  @Option(
      names = "--image-size",
      paramLabel = "PIXELS",
      description = "For image-folder: side in pixels to which images are cropped. Default:"
          + " ${bundle:default.image_size}.")
  Integer imageSize;

  @Option(
      names = "--resize",
      paramLabel = "PIXELS",
      description = "For image-folder: what the shorter side of a test image is made before its centre of --image-size is cut"
          + " out. Default: ${bundle:default.resize}.")
  Integer resize;

  @Option(
      names = "--strict",
      description = "For image-folder: stop at an image or folder that cannot be read instead of skipping it."
          + " Default: off.")
  boolean strict;

  @Option(names = NO_EXIF, description = NO_EXIF_DESCRIPTION + " For image files and image-folder. Default: off.")
  boolean noExif;

  private DataSet<StreamedImages> folder;
  /** A line each: what was left out of the list of images, then the images that could not be used. */
  private final Set<String> skipped = new LinkedHashSet<>();

  private int listed; // of those lines

  /**
   * The data set's description, known before its images are loaded.
   *
   * @param trainedSize side of the images that the model was trained on; {@code null} if there is no model yet
   * @param trainedResize what the shorter side of its test images was made; {@code null} if that is not known
   * @param err gets a line about skipped images
   */
  DataSetInfo info(String name, Integer trainedSize, Integer trainedResize, PrintWriter err) {
    Checks.oneOf("--dataset", name, new Names());
    if (!name.equals(IMAGE_FOLDER)) {
      Checks.usage(
          imageSize == null && resize == null && !strict && !noExif,
          "--image-size, --resize, --strict and --no-exif go with --dataset " + IMAGE_FOLDER);
      return DataSets.info(name);
    }
    Checks.usage(dataDir != null, "--dataset " + IMAGE_FOLDER + " needs --data-dir, the folder with train/ and val/");
    Checks.range("--image-size", imageSize, 1, StreamOptions.LARGEST_SIZE);
    int size = Checks.or(imageSize, trainedSize == null ? StreamOptions.USUAL_SIZE : trainedSize);
    Checks.range("--resize", resize, size, StreamOptions.LARGEST_SIZE);
    Integer usualResize = trainedSize == null || trainedSize == size ? trainedResize : null;
    folder =
        ImageFolder.open(
            dataDir,
            StreamOptions.ofSize(size, Checks.or(resize, usualResize), strict, !noExif, line -> skip(err, line)));
    listed = skipped.size();
    return folder.info();
  }

  /**
   * Looks where a run's data was, unless --data-dir says where to look. Call it before {@link #info}.
   *
   * @param run its folder, or a file in it; a model that no run has left is fine, too
   * @param name of the data set that is wanted
   */
  void findAgain(Path run, String name) {
    if (dataDir == null) {
      dataDir =
          RunDirectory.dataPlace(run)
              .filter(place -> place.dataset().equals(name))
              .map(place -> Path.of(place.folder()))
              .filter(Files::isDirectory)
              .orElse(null);
    }
  }

  /** Where the data set that {@link #info} described is; empty for one that comes with the program. */
  Optional<DataPlace> place(DataSetInfo info) {
    Optional<Path> location = folder == null ? DataSets.locate(info.name(), dataDir) : Optional.of(dataDir);
    return location
        .map(path -> Files.isDirectory(path) ? path : path.toAbsolutePath().getParent()) // of an archive
        .map(path -> new DataPlace(info.name(), path.toAbsolutePath().normalize().toString()));
  }

  /** Throws if there is no copy of the data set that {@link #info} described; does not look into its files. */
  void requireFound(DataSetInfo info) {
    if (folder == null) {
      DataSets.requireFound(info.name(), dataDir);
    }
  }

  /** Whether the data set that {@link #info} described is a folder of images. */
  boolean isFolder() {
    return folder != null;
  }

  private void skip(PrintWriter err, String line) {
    if (skipped.add(line)) {
      say(err, line);
    }
  }

  private static void say(PrintWriter err, String line) {
    err.println("layerwise: " + line);
    err.flush();
  }

  /** The images of the data set that {@link #info} described. */
  DataSet<?> load(DataSetInfo info, PrintWriter err) {
    return folder != null ? folder
        : ReadingPrinter.show(info.title(), err, listener -> DataSets.load(info.name(), dataDir, listener));
  }

  /** One part of them; files of the other are not read. */
  Images load(DataSetInfo info, Part part, PrintWriter err) {
    if (folder != null) {
      return part == Part.TRAIN ? folder.train() : folder.test();
    }
    return ReadingPrinter.show(info.title(), err, listener -> DataSets.load(info.name(), dataDir, part, listener));
  }

  /** Prints how many images were skipped, if any, and which of them only other processes have tried to read. */
  void printSkipped(PrintWriter err, Communicator processes) {
    if (folder == null) {
      return;
    }
    for (String lines : processes.gather(String.join("\n", skipped), String.class)) {
      lines.lines().forEach(line -> skip(err, line));
    }
    int images = skipped.size() - listed;
    if (images > 0) {
      String what = images == 1 ? " image could not be read and was skipped" : " images could not be read and were skipped";
      say(err, images + what);
    }
  }
}
