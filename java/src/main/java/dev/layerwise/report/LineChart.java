package dev.layerwise.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleFunction;
import java.util.stream.DoubleStream;

/**
 * Lines over epochs or layers, as an SVG element whose colors are the style sheet's. It is as wide as its place, and its
 * letters keep their size: positions along the horizontal axis are percentages, everything else is in pixels. It is an
 * image with a label to a screen reader; the same numbers belong into a table nearby.
 *
 * @param title what is drawn
 * @param xTitle the horizontal axis's
 * @param yTitle the vertical axis's, with its unit
 * @param x the horizontal axis
 * @param y the vertical axis, which charts of the same quantity share
 * @param dots whether each value is marked, and not only the last
 * @param number how a value is written
 */
record LineChart(
    String title, String xTitle, String yTitle, Axis x, Axis y, boolean dots, DoubleFunction<String> number) {
  /** Of the style sheet's {@code .plot}. */
  private static final int HEIGHT = 230;

  private static final int LETTER = 13;
  private static final int MOST_MARKS = 14;

  /** Units of the path's coordinates from the left to the right. */
  private static final int WIDTH = 1000;

  /** Draws the lines; of all values one at least must be finite. */
  void write(Markup page, List<Series> lines) {
    page.open("svg", "class", lines.size() > MOST_MARKS ? "plot many" : "plot", "role", "img", "aria-label", inWords(lines));
    writeAxes(page);
    // The lines alone are stretched to the width, with strokes as wide as ever.
    page.open(
        "svg", "class", "lines", "viewBox", "0 0 " + WIDTH + " " + HEIGHT, "preserveAspectRatio", "none", "width", "100%",
        "height", "" + HEIGHT);
    lines.forEach(line -> writeLine(page, line));
    page.close();
    lines.forEach(line -> writeDots(page, line));
    writeMarks(page, lines);
    page.close();
  }

  /** Whether there is anything to draw. */
  static boolean canDraw(List<Series> lines) {
    return lines.stream().flatMapToDouble(line -> DoubleStream.of(line.y())).anyMatch(Double::isFinite);
  }

  private String inWords(List<Series> lines) {
    StringBuilder words = new StringBuilder(title).append(", ").append(yTitle).append(". ");
    for (Series line : marked(lines)) {
      words.append(line.label()).append(": from ").append(number.apply(line.y()[0])).append(" to ")
          .append(number.apply(line.end())).append(". ");
    }
    return words.toString().stripTrailing();
  }

  private void writeAxes(Markup page) {
    for (double tick : y.ticks()) {
      String height = coordinate(toY(tick));
      page.empty("line", "class", "grid", "x1", "0", "x2", "100%", "y1", height, "y2", height);
      page.element(
          "text", Axis.label(tick), "class", "tick", "x", "-8", "y", coordinate(toY(tick) + 4), "text-anchor", "end");
    }
    for (int i = 0; i < x.ticks().size(); i++) {
      page.element(
          "text", x.labels().get(i), "class", "tick", "x", percent(x.ticks().get(i)), "y", "" + (HEIGHT + 18),
          "text-anchor", "middle");
    }
    page.empty("line", "class", "axis", "x1", "0", "x2", "100%", "y1", "" + HEIGHT, "y2", "" + HEIGHT);
    page.element("text", xTitle, "class", "title", "x", "50%", "y", "" + (HEIGHT + 36), "text-anchor", "middle");
    page.element(
        "text", yTitle + (y.logarithmic() ? " (logarithmic)" : ""), "class", "title", "x", "-52", "y", "-12");
  }

  private void writeLine(Markup page, Series line) {
    StringBuilder path = new StringBuilder();
    boolean drawing = false;
    for (int i : Thinning.kept(line.y())) {
      boolean finite = Double.isFinite(line.y()[i]);
      if (finite) {
        path.append(drawing ? 'L' : 'M').append(Math.round(WIDTH * x.at(line.x()[i]))).append(' ')
            .append(coordinate(toY(line.y()[i])));
      }
      drawing = finite;
    }
    page.open("g", "class", line.style(), "style", line.shadeStyle());
    page.open("path", "class", "line", "d", path.toString()).element("title", line.label()).close();
    page.close();
  }

  private void writeDots(Markup page, Series line) {
    page.open("g", "class", line.style(), "style", line.shadeStyle());
    for (int i = dots ? 0 : Math.max(0, line.y().length - 1); i < line.y().length; i++) {
      if (Double.isFinite(line.y()[i])) {
        page.open("circle", "class", "dot", "cx", percent(line.x()[i]), "cy", coordinate(toY(line.y()[i])), "r", "3");
        page.element("title", line.label() + ": " + number.apply(line.y()[i])).close();
      }
    }
    page.close();
  }

  /**
   * Short names in a column at the right, moved apart where they would cover each other, each joined to the end of its line.
   */
  private void writeMarks(Markup page, List<Series> lines) {
    List<Series> marked = new ArrayList<>(marked(lines));
    marked.removeIf(line -> !Double.isFinite(line.end()));
    marked.sort(Comparator.comparingDouble(line -> toY(line.end())));
    double[] heights = apart(marked.stream().mapToDouble(line -> toY(line.end())).toArray(), HEIGHT);
    for (Series line : marked) {
      double last = line.x()[line.x().length - 1];
      if (x.at(last) < 1) {
        String height = coordinate(toY(line.end()));
        page.empty("line", "class", "reach", "x1", percent(last), "x2", "100%", "y1", height, "y2", height);
      }
    }
    page.open("svg", "class", "marks", "x", "100%");
    for (int i = 0; i < heights.length; i++) {
      Series line = marked.get(i);
      page.open("g", "class", line.style(), "style", line.shadeStyle());
      page.empty("path", "class", "leader", "d", "M4 " + coordinate(toY(line.end())) + "L13 " + coordinate(heights[i]));
      page.element("text", line.mark(), "class", "mark", "x", "16", "y", coordinate(heights[i] + 4)).close();
    }
    page.close();
  }

  /**
   * Heights as near as may be to the wanted ones, at least a letter apart, none below the lowest if there is room.
   *
   * @param wanted in rising order
   */
  static double[] apart(double[] wanted, double lowest) {
    double[] heights = wanted.clone();
    for (int i = 1; i < heights.length; i++) {
      heights[i] = Math.max(heights[i], heights[i - 1] + LETTER);
    }
    double limit = lowest;
    for (int i = heights.length - 1; i >= 0 && heights[i] > limit; i--) {
      heights[i] = limit;
      limit -= LETTER;
    }
    return heights;
  }

  /** All lines, or evenly chosen ones where their names would not fit. */
  private static List<Series> marked(List<Series> lines) {
    List<Series> drawn = lines.stream().filter(line -> line.y().length > 0).toList();
    return Thinning.evenly(drawn.size(), MOST_MARKS).stream().map(drawn::get).toList();
  }

  private String percent(double value) {
    return coordinate(100 * x.at(value)) + "%";
  }

  private double toY(double value) {
    return HEIGHT * (1 - y.at(value));
  }

  private static String coordinate(double value) {
    return String.format(Locale.ROOT, "%.1f", value);
  }
}
