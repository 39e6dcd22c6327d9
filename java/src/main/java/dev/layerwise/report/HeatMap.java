package dev.layerwise.report;

import dev.layerwise.data.Png;
import java.awt.image.BufferedImage;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.stream.IntStream;

/**
 * A confusion matrix of so many classes that its numbers could not be read: a picture with a pixel per entry, which the page
 * enlarges. It lies on the page's own background, so that it goes with the dark scheme too.
 */
final class HeatMap {
  private static final int RIGHT = 0x2f9e6e;
  private static final int WRONG = 0xe2662f;
  /** At most so many classes are numbered at the picture's edges. */
  private static final int MARKS = 10;

  private HeatMap() {}

  static void write(Markup page, String run, List<String> classes, int[][] counts) {
    page.open("figure", "class", "heat");
    page.element(
        "figcaption",
        "Confusion matrix of " + run + ": from top to bottom the true class, from left to right the predicted class, numbered"
            + " as in the table below. Green: right; orange: wrong; the stronger, the larger the share of the true class.");
    page.open("div", "class", "map");
    page.element("span", "true", "class", "corner");
    int step = (classes.size() + MARKS - 1) / MARKS;
    List<Integer> marks = IntStream.iterate(0, at -> at < classes.size(), at -> at + step).boxed().toList();
    page.open("div", "class", "across", "aria-hidden", "true");
    writeMarks(page, marks, classes.size(), "left");
    page.close().open("div", "class", "down", "aria-hidden", "true");
    writeMarks(page, marks, classes.size(), "top");
    page.close();
    page.empty(
        "img", "alt", "Confusion matrix of " + classes.size() + " classes as a heat map; its diagonal holds the images that"
            + " were recognized", "src", "data:image/png;base64," + Base64.getEncoder().encodeToString(png(counts)));
    page.close().close();
  }

  private static void writeMarks(Markup page, List<Integer> marks, int classes, String side) {
    for (int at : marks) {
      page.element("span", "" + at, "style", side + ":" + Numbers.fixed(100 * (at + 0.5) / classes, 2) + "%");
    }
  }

  /** A pixel per entry: its color says whether it is right, its opacity how often it happens. */
  static byte[] png(int[][] counts) {
    BufferedImage image = new BufferedImage(counts.length, counts.length, BufferedImage.TYPE_INT_ARGB);
    for (int row = 0; row < counts.length; row++) {
      long total = Arrays.stream(counts[row]).asLongStream().sum();
      for (int column = 0; column < counts.length; column++) {
        boolean right = row == column;
        double strength = total == 0 ? 0 : ConfusionSection.strength((double) counts[row][column] / total, right);
        image.setRGB(column, row, (int) Math.round(255 * strength) << 24 | (right ? RIGHT : WRONG));
      }
    }
    return Png.encode(image);
  }
}
