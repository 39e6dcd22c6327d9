package dev.layerwise.cli;

import dev.layerwise.api.Model;
import dev.layerwise.data.DataException;
import dev.layerwise.data.stream.FolderListing;
import dev.layerwise.files.FileNames;
import java.io.ByteArrayOutputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Image files named on the command line, read batch by batch. Unreadable ones are reported and skipped. */
final class ImageArguments {
  static final String DESCRIPTION =
      "JPEG, PNG, GIF (first frame), BMP or TIFF images, or folders of them, including subfolders and links. Each image is"
          + " rotated according to its EXIF orientation, resized so that its shorter side has the size used in the model's"
          + " tests, and cropped to its centre. It is converted to grey or colour as the model needs. Levels are not"
          + " inverted: models of MNIST, Fashion-MNIST, Kuzushiji-MNIST and digits expect white on black.";

  private final List<Path> files;
  private final PrintWriter err;
  private final boolean isComplete;
  private int unusable;

  /**
   * Images computed together.
   *
   * @param problems a sentence for each file that cannot be used
   */
  record Batch(List<Path> files, byte[] pixels, List<String> problems) {}

  /** Takes the batches. */
  @FunctionalInterface
  interface Consumer<E extends Exception> {
    void accept(Batch batch) throws E;
  }

  /** Lists the images and prints what it skips; throws {@link DataException} for a folder without images. */
  ImageArguments(List<Path> arguments, PrintWriter err) {
    this.err = Quiet.errors(err); // what cannot be read is an error
    files = new ArrayList<>();
    FolderListing listing = new FolderListing();
    for (Path argument : arguments) {
      if (!Files.isDirectory(argument)) {
        if (FileNames.isLossy(argument)) {
          throw new DataException("The file name " + argument + " is not valid UTF-8 and was lost on the command line; give"
              + " its folder instead, or rename it.");
        }
        files.add(argument);
        continue;
      }
      List<Path> found = listing.images(argument);
      if (found.isEmpty()) {
        throw new DataException(
            FileNames.text(argument) + " has no " + FolderListing.KINDS + listing.leftOut("; skipped: ") + ".");
      }
      files.addAll(found);
    }
    String leftOut = listing.leftOut("skipped: ");
    if (!leftOut.isEmpty()) {
      say(leftOut);
    }
    isComplete = !listing.hasUnreadable();
  }

  private void say(String line) {
    err.println("layerwise: " + line);
    err.flush();
  }

  /** How many files there are. */
  int count() {
    return files.size();
  }

  /** Reads some of the images in the form that the model takes. */
  Batch read(Model model, int from, int to) {
    List<Path> usable = new ArrayList<>();
    List<String> problems = new ArrayList<>();
    ByteArrayOutputStream pixels = new ByteArrayOutputStream();
    for (Path file : files.subList(from, to)) {
      try {
        pixels.writeBytes(model.read(file));
        usable.add(file);
      } catch (DataException e) {
        problems.add(e.getMessage());
      }
    }
    return new Batch(usable, pixels.toByteArray(), problems);
  }

  /** Prints why files cannot be used. */
  void report(List<String> problems) {
    problems.forEach(this::say);
    unusable += problems.size();
  }

  /** Reads all images, batch by batch, and reports those that cannot be used. */
  <E extends Exception> void read(Model model, int batchSize, Consumer<E> consumer) throws E {
    for (int from = 0; from < count(); from += batchSize) {
      Batch batch = read(model, from, (int) Math.min((long) from + batchSize, count()));
      report(batch.problems());
      if (!batch.files().isEmpty()) {
        consumer.accept(batch);
      }
    }
  }

  /** Exit code: failure if an image or a folder could not be read. */
  int exitCode() {
    return isComplete && unusable == 0 ? 0 : 1;
  }
}
