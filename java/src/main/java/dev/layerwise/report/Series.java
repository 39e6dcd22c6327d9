package dev.layerwise.report;

import java.util.Locale;

/**
 * A line of a chart.
 *
 * @param label what it is, for those who point at it and for screen readers
 * @param mark a short name that stands at its end
 * @param style class of the style sheet that colors it
 * @param shade for lines that follow upon each other, 0 (the first) to 1 (the last); NaN for others
 * @param x positions, increasing
 * @param y values; one that is not finite interrupts the line
 */
record Series(String label, String mark, String style, double shade, double[] x, double[] y) {
  private static final int COLORS = 8;
  private static final int DASHES = 3;

  /** A run's line; runs are counted from 0. */
  static Series ofRun(int number, String label, double[] x, double[] y) {
    return new Series(label, Integer.toString(number + 1), runStyle(number), Double.NaN, x, y);
  }

  /** One of lines that follow upon each other. */
  static Series ofStep(String label, String mark, int step, int steps, double[] x, double[] y) {
    return new Series(label, mark, "step", steps == 1 ? 1 : (double) step / (steps - 1), x, y);
  }

  /** The output layer's, among lines of layers that follow upon each other. */
  static Series ofOutput(String label, double[] x, double[] y) {
    return new Series(label, "out", "output", Double.NaN, x, y);
  }

  /** What was measured on the test images, beside lines that follow upon each other. */
  static Series ofTest(String label, double[] x, double[] y) {
    return new Series(label, "test", "output", Double.NaN, x, y);
  }

  /** The classes that give a run its color and, from the ninth on, dashes. */
  static String runStyle(int number) {
    return "run-" + number % COLORS + " dash-" + number / COLORS % DASHES;
  }

  /** The label in a legend, behind the number that stands at the line's end. */
  String entry() {
    boolean said = !Character.isDigit(mark.charAt(0)) || label.endsWith(" " + mark);
    return said ? label : mark + " " + label;
  }

  /** Value of the style attribute that a chart's element of this line needs. */
  String shadeStyle() {
    return Double.isNaN(shade) ? "" : String.format(Locale.ROOT, "--shade:%.3f", shade);
  }

  /** The last value; NaN if there is none. */
  double end() {
    return y.length == 0 ? Double.NaN : y[y.length - 1];
  }
}
