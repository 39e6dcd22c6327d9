package dev.layerwise.report;

import dev.layerwise.run.EpochReport;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.function.ToDoubleFunction;

/** Charts with their captions, legends and tables. */
final class Figures {
  /** Epochs that a table has room for. */
  static final int TABLE_EPOCHS = 12;

  private static final int LEGEND_ENTRIES = 6;

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

  /** A value of each epoch, a line per run, and the same as a table. */
  static void writeOverEpochs(
      Markup page, List<Run> runs, LineChart chart, ToDoubleFunction<EpochReport> value) {
    List<Series> lines = new ArrayList<>();
    TreeSet<Integer> all = new TreeSet<>();
    for (int i = 0; i < runs.size(); i++) {
      List<EpochReport> epochs = runs.get(i).epochs();
      lines.add(
          Series.ofRun(i, runs.get(i).name(), numbers(epochs), epochs.stream().mapToDouble(value).toArray()));
      epochs.forEach(epoch -> all.add(epoch.epoch()));
    }
    page.open("div", "class", "panel");
    write(page, chart, lines);
    List<Integer> numbers = List.copyOf(all);
    TreeSet<Integer> chosen = new TreeSet<>();
    Thinning.evenly(numbers.size(), TABLE_EPOCHS).forEach(at -> chosen.add(numbers.get(at)));
    runs.forEach(run -> run.last().ifPresent(epoch -> chosen.add(epoch.epoch()))); // where each line ends
    List<String> headings = new ArrayList<>(List.of("Epoch"));
    runs.forEach(run -> headings.add(run.name()));
    List<List<String>> rows = new ArrayList<>();
    for (int number : chosen) {
      List<String> row = new ArrayList<>(List.of(Integer.toString(number)));
      for (Run run : runs) {
        row.add(
            run.epochs().stream().filter(epoch -> epoch.epoch() == number).findFirst()
                .map(epoch -> chart.number().apply(value.applyAsDouble(epoch))).orElse("–"));
      }
      rows.add(row);
    }
    Tables.writeFolded(page, "As a table", chart.title(), headings, rows);
    page.close();
  }

  /** The epochs' numbers. */
  static double[] numbers(List<EpochReport> epochs) {
    return epochs.stream().mapToDouble(EpochReport::epoch).toArray();
  }

  /** What the lines are: of many, some. */
  static void writeLegend(Markup page, List<Series> lines, boolean all) {
    page.open("ul", "class", "legend");
    for (int at : Thinning.evenly(lines.size(), all ? lines.size() : LEGEND_ENTRIES)) {
      Series line = lines.get(at);
      page.open("li");
      writeKey(page, line);
      page.text((line.mark().equals(line.label()) ? "" : line.mark() + " ") + line.label()).close();
    }
    page.close();
  }

  /** The heading of a part about a run; runs are counted from 0. */
  static void writeRunHeading(Markup page, int number, Run run, String id) {
    page.open("h3", "id", id);
    writeKey(page, Series.ofRun(number, run.name(), new double[0], new double[0]));
    page.text((number + 1) + " " + run.name()).close();
  }

  /** A short piece of a line. */
  static void writeKey(Markup page, Series line) {
    page.open("svg", "class", "key", "viewBox", "0 0 28 10", "aria-hidden", "true");
    page.open("g", "class", line.style(), "style", line.shadeStyle());
    page.empty("path", "class", "line", "d", "M1 5L27 5").close().close();
  }
}
