package dev.layerwise.cli;

import dev.layerwise.data.DataSet;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.DataSets;
import dev.layerwise.data.stream.ImageFolder;
import dev.layerwise.data.stream.StreamOptions;
import dev.layerwise.data.stream.StreamedImages;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import picocli.CommandLine.Option;

/** Which images, and where they are. */
final class DataOptions {
  /** The data set that is a folder of the user's own images. */
  static final String IMAGE_FOLDER = ImageFolder.NAME;

  static final String NO_EXIF = "--no-exif";
  static final String NO_EXIF_DESCRIPTION =
      "Take the pixels of image files as they are stored, and do not turn them as the camera's mark of orientation"
          + " (EXIF) says.";

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
      description = "One of ${COMPLETION-CANDIDATES}. Default: digits for train, the model's own for evaluate,"
          + " none for embed.")
  String dataset;

  @Option(
      names = "--data-dir",
      paramLabel = "DIR",
      description = "Folder with the data set's files in their original format; for image-folder the one with"
          + " train/CLASS/*.jpg and val/CLASS/*.jpg (or .png, .gif, .bmp, .tif). Default: the usual places ('layerwise"
          + " doctor' shows them).")
  Path dataDir;

  @Option(
      names = "--image-size",
      paramLabel = "PIXELS",
      description = "Side to which the images of an image-folder are cut. Default: " + StreamOptions.USUAL_SIZE + ".")
  Integer imageSize;

  @Option(
      names = "--strict",
      description = "Stop at an image that cannot be used, or a folder that cannot be read, instead of leaving it out;"
          + " for image-folder. Default: off.")
  boolean strict;

  @Option(names = NO_EXIF, description = NO_EXIF_DESCRIPTION + " Also for image-folder. Default: off.")
  boolean noExif;

  private DataSet<StreamedImages> folder;

  /**
   * What is known about a data set before its images are loaded.
   *
   * @param trainedSize side of the images that a model was made for; {@code null}: there is none yet
   * @param err told of images that are left out
   */
  DataSetInfo info(String name, Integer trainedSize, PrintWriter err) {
    Checks.oneOf("--dataset", name, new Names());
    if (!name.equals(IMAGE_FOLDER)) {
      Checks.usage(
          imageSize == null && !strict && !noExif,
          "--image-size, --strict and --no-exif go with --dataset " + IMAGE_FOLDER);
      return DataSets.info(name);
    }
    Checks.usage(dataDir != null, "--dataset " + IMAGE_FOLDER + " needs --data-dir, the folder with train/ and val/");
    Checks.range("--image-size", imageSize, 1, 4096);
    int size = Checks.or(imageSize, trainedSize == null ? StreamOptions.USUAL_SIZE : trainedSize);
    folder = ImageFolder.open(dataDir, StreamOptions.ofSize(size, strict, !noExif, line -> say(err, line)));
    return folder.info();
  }

  private static void say(PrintWriter err, String line) {
    err.println("layerwise: " + line);
    err.flush();
  }

  /** The images of what {@link #info} told about. */
  DataSet<?> load(DataSetInfo info) {
    return folder == null ? DataSets.load(info.name(), dataDir) : folder;
  }

  /** Says how many images were left out, if any were. */
  void printSkipped(PrintWriter err) {
    int skipped = folder == null ? 0 : folder.train().skipped() + folder.test().skipped();
    if (skipped > 0) {
      say(err, skipped + " images could not be used and were left out");
    }
  }
}
