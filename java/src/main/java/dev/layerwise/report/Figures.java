package dev.layerwise.report;

import dev.layerwise.run.EpochReport;
import java.util.ArrayList;
import java.util.List;

/** Charts with their captions, legends and tables. */
final class Figures {
  /** Epochs that a table has room for. */
  static final int TABLE_EPOCHS = 12;

  private static final int LEGEND_ENTRIES = 12;

  private Figures() {}

  /** A chart; a sentence in its place where there is nothing to draw. */
  static void write(Markup page, LineChart chart, List<Series> lines) {
    page.open("figure").element("figcaption", chart.title());
    if (LineChart.canDraw(lines)) {
      chart.write(page, lines);
    } else {
      page.element("p", "There is no number to draw.");
    }
    page.close();
  }

  /** The epochs' numbers. */
  static double[] numbers(List<EpochReport> epochs) {
    return epochs.stream().mapToDouble(EpochReport::epoch).toArray();
  }

  /** From the first to the last epoch of these runs. */
  static Axis epochs(List<Run> runs) {
    return Axis.counting(1, runs.stream().flatMap(run -> run.last().stream()).mapToInt(EpochReport::epoch).max().orElse(1));
  }

  /** What the lines of each run are. */
  static void writeLegend(Markup page, List<Run> runs) {
    if (runs.size() > 1) {
      List<Series> keys = new ArrayList<>();
      for (int i = 0; i < runs.size(); i++) {
        keys.add(key(i, runs.get(i)));
      }
      writeLegend(page, keys, runs.size());
    }
  }

  /** What the lines are: of many, some. */
  static void writeLegendOfLayers(Markup page, List<Series> lines) {
    writeLegend(page, lines, LEGEND_ENTRIES);
  }

  private static void writeLegend(Markup page, List<Series> lines, int most) {
    page.open("ul", "class", "legend");
    for (int at : Thinning.evenly(lines.size(), most)) {
      Series line = lines.get(at);
      page.open("li");
      writeKey(page, line);
      page.text(line.entry()).close();
    }
    page.close();
  }

  /**
   * Begins a part about a run, which a reader can fold away; the caller closes it.
   *
   * @param number the run's, counted from 0
   * @param open whether it is unfolded at first
   * @param gist a few words about it
   */
  static void openRun(Markup page, int number, Run run, boolean open, String gist) {
    if (open) {
      page.open("details", "class", "run", "open", "open");
    } else {
      page.open("details", "class", "run");
    }
    page.open("summary", "class", "run-head").open("h3");
    writeKey(page, key(number, run));
    page.text((number + 1) + " " + run.name()).close();
    page.text(" ").element("span", gist, "class", "gist").close();
  }

  /** A run's line without its values; runs are counted from 0. */
  static Series key(int number, Run run) {
    return Series.ofRun(number, run.name(), new double[0], new double[0]);
  }

  /** A short piece of a line. */
  static void writeKey(Markup page, Series line) {
    page.open("svg", "class", "key", "viewBox", "0 0 28 10", "aria-hidden", "true");
    page.open("g", "class", line.style(), "style", line.shadeStyle());
    page.empty("path", "class", "line", "d", "M1 5L27 5").close().close();
  }
}
