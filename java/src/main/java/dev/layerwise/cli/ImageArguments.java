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

/** Image files named on the command line, read batch by batch. Those that cannot be used are said and left out. */
final class ImageArguments {
  static final String DESCRIPTION =
      "JPEG, PNG, GIF (the first frame), BMP or TIFF images, or folders of them (with all folders below; links are"
          + " followed). An image is turned as its camera's mark of orientation (EXIF) says, resized so that its shorter"
          + " side has the length that the model was tested with, and the centre is cut out. Colours become grey, or grey"
          + " colours, as the model needs; levels are not inverted: models of MNIST, Fashion-MNIST, Kuzushiji-MNIST and"
          + " digits take white on black.";

  private final List<Path> files;
  private final PrintWriter err;
  private final boolean isComplete;
  private int unusable;

  /** Images that go through a network together. */
  record Batch(List<Path> files, byte[] pixels) {}

  /** Is handed the batches. */
  @FunctionalInterface
  interface Consumer<E extends Exception> {
    void accept(Batch batch) throws E;
  }

  /** Lists the files, and says what else folders hold; throws {@link DataException} for a folder that holds none. */
  ImageArguments(List<Path> arguments, PrintWriter err) {
    this.err = err;
    files = new ArrayList<>();
    FolderListing listing = new FolderListing();
    for (Path argument : arguments) {
      if (!Files.isDirectory(argument)) {
        if (FileNames.isLossy(argument)) {
          throw new DataException("The name " + argument + " is not UTF-8, and so lost on its way from the command line;"
              + " give the folder that it is in, or rename it.");
        }
        files.add(argument);
        continue;
      }
      List<Path> found = listing.images(argument);
      if (found.isEmpty()) {
        throw new DataException(
            FileNames.text(argument) + " holds no " + FolderListing.KINDS + listing.leftOut("; left out: ") + ".");
      }
      files.addAll(found);
    }
    String leftOut = listing.leftOut("left out: ");
    if (!leftOut.isEmpty()) {
      say(leftOut);
    }
    isComplete = !listing.hasUnreadable();
  }

  private void say(String line) {
    err.println("layerwise: " + line);
    err.flush();
  }

  /** Reads all images as the model takes them. */
  <E extends Exception> void read(Model model, int batchSize, Consumer<E> consumer) throws E {
    List<Path> names = new ArrayList<>();
    ByteArrayOutputStream pixels = new ByteArrayOutputStream();
    for (Path file : files) {
      try {
        pixels.writeBytes(model.read(file));
        names.add(file);
      } catch (DataException e) {
        say(e.getMessage());
        unusable++;
      }
      if (names.size() == batchSize) {
        consumer.accept(new Batch(List.copyOf(names), pixels.toByteArray()));
        names.clear();
        pixels.reset();
      }
    }
    if (!names.isEmpty()) {
      consumer.accept(new Batch(names, pixels.toByteArray()));
    }
  }

  /** Exit code: failure if an image could not be used, or a folder not be read. */
  int exitCode() {
    return isComplete && unusable == 0 ? 0 : 1;
  }
}
