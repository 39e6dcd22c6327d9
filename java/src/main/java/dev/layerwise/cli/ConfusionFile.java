package dev.layerwise.cli;

import dev.layerwise.files.AtomicFiles;
import java.awt.image.BufferedImage;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;

/** Writes a confusion matrix to a file: numbers as CSV, or a heat map as PNG. */
final class ConfusionFile {
  private static final int SMALLEST_CELL = 8;
  /** Pixels that the sides of smaller heat maps come to. */
  private static final int USUAL_SIDE = 400;
  private static final int[] LIGHT = {255, 255, 255};
  private static final int[] DARK = {8, 48, 107};

  private ConfusionFile() {}

  /** Whether the name's end says what to write. */
  static boolean isKnown(Path file) {
    return isPng(file) || name(file).endsWith(".csv");
  }

  private static boolean isPng(Path file) {
    return name(file).endsWith(".png");
  }

  private static String name(Path file) {
    return file.toString().toLowerCase(Locale.ROOT);
  }

  /**
   * Writes the file, whole or not at all.
   *
   * @param matrix a row per true class, a column per predicted class
   */
  static void write(Path file, int[][] matrix, List<String> classes) {
    if (isPng(file)) {
      AtomicFiles.write(file, out -> ImageIO.write(heatMap(matrix), "png", out));
    } else {
      AtomicFiles.write(file, out -> out.write(csv(matrix, classes).getBytes(StandardCharsets.UTF_8)));
    }
  }

  private static String csv(int[][] matrix, List<String> classes) {
    List<String> heads = new ArrayList<>(classes);
    heads.add(0, "true class");
    StringBuilder text = new StringBuilder(Csv.line(heads)).append('\n');
    for (int row = 0; row < matrix.length; row++) {
      List<String> values = new ArrayList<>(IntStream.of(matrix[row]).mapToObj(Integer::toString).toList());
      values.add(0, classes.get(row));
      text.append(Csv.line(values)).append('\n');
    }
    return text.toString();
  }

  /** The darker, the larger the share of the row's images. */
  private static BufferedImage heatMap(int[][] matrix) {
    int cell = Math.max(SMALLEST_CELL, USUAL_SIDE / matrix.length);
    int side = cell * matrix.length;
    BufferedImage image = new BufferedImage(side, side, BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < side; y++) {
      int[] row = matrix[y / cell];
      int images = Math.max(1, IntStream.of(row).sum());
      for (int x = 0; x < side; x++) {
        image.setRGB(x, y, color((double) row[x / cell] / images));
      }
    }
    return image;
  }

  private static int color(double share) {
    int rgb = 0;
    for (int i = 0; i < LIGHT.length; i++) {
      rgb = rgb << 8 | (int) Math.round(LIGHT[i] + share * (DARK[i] - LIGHT[i]));
    }
    return rgb;
  }
}
