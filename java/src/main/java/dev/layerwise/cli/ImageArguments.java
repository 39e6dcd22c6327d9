package dev.layerwise.cli;

import dev.layerwise.api.Model;
import dev.layerwise.data.DataException;
import dev.layerwise.data.stream.ImageReader;
import java.io.ByteArrayOutputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Image files named on the command line, read batch by batch. Those that cannot be used are said and left out. */
final class ImageArguments {
  static final String DESCRIPTION =
      "JPEG or PNG images, or folders of them (subfolders included). An image is turned as its camera's mark of"
          + " orientation (EXIF) says, resized so that its shorter side has the length that the model was tested with, and"
          + " the centre is cut out. Colours become grey, or grey colours, as the model needs; levels are not inverted:"
          + " models of MNIST, Fashion-MNIST, Kuzushiji-MNIST and digits take white on black.";

  private final List<Path> files;
  private final PrintWriter err;
  private int unusable;

  /** Images that go through a network together. */
  record Batch(List<Path> files, byte[] pixels) {}

  /** Is handed the batches. */
  @FunctionalInterface
  interface Consumer<E extends Exception> {
    void accept(Batch batch) throws E;
  }

  /** Lists the files; throws {@link DataException} for a folder that holds none. */
  ImageArguments(List<Path> arguments, PrintWriter err) {
    this.err = err;
    files = new ArrayList<>();
    for (Path argument : arguments) {
      if (Files.isDirectory(argument)) {
        files.addAll(ImageReader.list(argument));
      } else {
        files.add(argument);
      }
    }
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
        err.println("layerwise: " + e.getMessage());
        err.flush();
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

  /** Exit code: failure if an image could not be used. */
  int exitCode() {
    return unusable == 0 ? 0 : 1;
  }
}
