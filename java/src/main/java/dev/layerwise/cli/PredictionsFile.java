package dev.layerwise.cli;

import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.Images;
import dev.layerwise.data.stream.StreamedImages;
import dev.layerwise.files.AtomicFiles;
import dev.layerwise.files.FileNames;
import dev.layerwise.train.Communicator;
import dev.layerwise.train.ImageLogits;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Writes what a network predicts of each test image to a CSV file. */
final class PredictionsFile {
  private final Images images;
  private final List<String> classNames;
  private final double temperature;

  /**
   * Of test images.
   *
   * @param temperature by which logits are divided; 1: none
   */
  PredictionsFile(Images images, DataSetInfo info, double temperature) {
    this.images = images;
    classNames = info.classNames();
    this.temperature = temperature;
  }

  /** Writes the file, whole or not at all, in the first process; all processes call this. */
  void write(Path file, ImageLogits answers, Communicator processes) {
    if (!processes.isFirst()) {
      answers.forEach(processes, row -> { });
      return;
    }
    AtomicFiles.write(file, out -> {
      print(out, heads());
      try {
        answers.forEach(processes, row -> {
          try {
            print(out, cells(row));
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
      } catch (UncheckedIOException e) {
        throw e.getCause();
      }
    });
  }

  private static void print(OutputStream out, List<String> cells) throws IOException {
    out.write((Csv.line(cells) + "\n").getBytes(StandardCharsets.UTF_8));
  }

  private List<String> heads() {
    List<String> heads = new ArrayList<>(List.of("image"));
    if (images instanceof StreamedImages) {
      heads.add("file");
    }
    heads.addAll(List.of("label", "class", "predicted_label", "predicted_class", "probability"));
    heads.addAll(classNames);
    return heads;
  }

  private List<String> cells(ImageLogits.Row row) {
    List<String> cells = new ArrayList<>(List.of(Integer.toString(row.number())));
    if (images instanceof StreamedImages files) {
      cells.add(FileNames.text(files.path(row.number())));
    }
    double[] probabilities = row.probabilities(temperature);
    cells.addAll(
        List.of(
            Integer.toString(row.label()), classNames.get(row.label()), Integer.toString(row.predicted()),
            classNames.get(row.predicted()), text(probabilities[row.predicted()])));
    for (double probability : probabilities) {
      cells.add(text(probability));
    }
    return cells;
  }

  /** The shortest number that a float32 keeps apart from its neighbours. */
  private static String text(double probability) {
    return Float.toString((float) probability);
  }
}
