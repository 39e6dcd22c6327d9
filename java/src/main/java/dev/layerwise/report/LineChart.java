package dev.layerwise.report;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleFunction;
import java.util.stream.DoubleStream;

/**
 * Lines over epochs or layers, as an SVG element whose colors are the style sheet's. It is an image with a label to a
 * screen reader; the same numbers belong into a table nearby.
 *
 * @param title what is drawn
 * @param xTitle the horizontal axis's
 * @param yTitle the vertical axis's, with its unit
 * @param fromZero whether the vertical axis, where it is linear, begins at 0
 * @param dots whether each value is marked, and not only the last
 * @param number how a value is written
 */
record LineChart(
    String title, String xTitle, String yTitle, boolean fromZero, boolean dots, DoubleFunction<String> number) {
  private static final int WIDTH = 320;
  private static final int HEIGHT = 240;
  private static final int LEFT = 58;
  private static final int RIGHT = 28;
  private static final int TOP = 12;
  private static final int BOTTOM = 44;
  private static final int LETTER = 12;
  private static final int MOST_MARKS = 10;

  /** Draws the lines; of all values one at least must be finite. */
  void write(Markup page, List<Series> lines) {
    double[] xs = lines.stream().flatMapToDouble(line -> DoubleStream.of(line.x())).sorted().toArray();
    Axis x = Axis.counting(xs[0], xs[xs.length - 1]);
    Axis y = Axis.covering(lines.stream().flatMapToDouble(line -> DoubleStream.of(line.y())).toArray(), fromZero);
    page.open("svg", "viewBox", "0 0 " + WIDTH + " " + HEIGHT, "role", "img", "aria-label", inWords(lines));
    writeAxes(page, x, y);
    for (Series line : lines) {
      writeLine(page, line, x, y);
    }
    writeMarks(page, lines, x, y);
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

  private void writeAxes(Markup page, Axis x, Axis y) {
    for (double tick : y.ticks()) {
      String height = coordinate(toY(y, tick));
      page.empty("line", "class", "grid", "x1", "" + LEFT, "x2", "" + (WIDTH - RIGHT), "y1", height, "y2", height);
      page.element(
          "text", Axis.label(tick), "class", "tick", "x", "" + (LEFT - 6), "y", coordinate(toY(y, tick) + 4),
          "text-anchor", "end");
    }
    for (double tick : x.ticks()) {
      page.element(
          "text", Axis.label(tick), "class", "tick", "x", coordinate(toX(x, tick)), "y",
          "" + (HEIGHT - BOTTOM + 18), "text-anchor", "middle");
    }
    String base = "" + (HEIGHT - BOTTOM);
    page.empty("line", "class", "axis", "x1", "" + LEFT, "x2", "" + (WIDTH - RIGHT), "y1", base, "y2", base);
    int middle = (LEFT + WIDTH - RIGHT) / 2;
    page.element("text", xTitle, "class", "title", "x", "" + middle, "y", "" + (HEIGHT - 6), "text-anchor", "middle");
    int center = (TOP + HEIGHT - BOTTOM) / 2;
    page.element(
        "text", yTitle + (y.logarithmic() ? ", log" : ""), "class", "title", "x", "0", "y", "0", "text-anchor",
        "middle", "transform", "translate(10 " + center + ") rotate(-90)");
  }

  private void writeLine(Markup page, Series line, Axis x, Axis y) {
    page.open("g", "class", line.style(), "style", line.shadeStyle());
    StringBuilder path = new StringBuilder();
    boolean drawing = false;
    for (int i : Thinning.kept(line.y())) {
      boolean finite = Double.isFinite(line.y()[i]);
      if (finite) {
        path.append(drawing ? 'L' : 'M').append(coordinate(toX(x, line.x()[i]))).append(' ')
            .append(coordinate(toY(y, line.y()[i])));
      }
      drawing = finite;
    }
    page.open("path", "class", "line", "d", path.toString()).element("title", line.label()).close();
    for (int i = dots ? 0 : Math.max(0, line.y().length - 1); i < line.y().length; i++) {
      if (Double.isFinite(line.y()[i])) {
        page.open(
            "circle", "class", "dot", "cx", coordinate(toX(x, line.x()[i])), "cy", coordinate(toY(y, line.y()[i])),
            "r", "3");
        page.element("title", line.label() + ": " + number.apply(line.y()[i])).close();
      }
    }
    page.close();
  }

  /** Short names at the lines' ends, moved apart where they would cover each other. */
  private void writeMarks(Markup page, List<Series> lines, Axis x, Axis y) {
    List<Series> marked = new ArrayList<>(marked(lines));
    marked.removeIf(line -> !Double.isFinite(line.end()));
    marked.sort(Comparator.comparingDouble(line -> toY(y, line.end())));
    double[] heights = marked.stream().mapToDouble(line -> toY(y, line.end()) + 4).toArray();
    for (int i = 1; i < heights.length; i++) {
      heights[i] = Math.max(heights[i], heights[i - 1] + LETTER);
    }
    double lowest = HEIGHT - BOTTOM + 4;
    for (int i = heights.length - 1; i >= 0 && heights[i] > lowest; i--) {
      heights[i] = lowest;
      lowest -= LETTER;
    }
    for (int i = 0; i < heights.length; i++) {
      Series line = marked.get(i);
      double right = toX(x, line.x()[line.x().length - 1]) + 6;
      page.element(
          "text", line.mark(), "class", "mark " + line.style(), "style", line.shadeStyle(), "x", coordinate(right),
          "y", coordinate(heights[i]));
    }
  }

  /** All lines, or evenly chosen ones where their names would not fit. */
  private static List<Series> marked(List<Series> lines) {
    List<Series> drawn = lines.stream().filter(line -> line.y().length > 0).toList();
    return Thinning.evenly(drawn.size(), MOST_MARKS).stream().map(drawn::get).toList();
  }

  private static double toX(Axis axis, double value) {
    return LEFT + axis.at(value) * (WIDTH - LEFT - RIGHT);
  }

  private static double toY(Axis axis, double value) {
    return HEIGHT - BOTTOM - axis.at(value) * (HEIGHT - TOP - BOTTOM);
  }

  private static String coordinate(double value) {
    return String.format(Locale.ROOT, "%.1f", value);
  }
}
