package dev.layerwise.report;

import dev.layerwise.run.EarlyExits;
import dev.layerwise.run.EarlyExits.Point;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/** What it saves, and what it costs in error, if images stop at the first layer that is certain enough. */
final class EarlyExitSection {
  private EarlyExitSection() {}

  /** Writes nothing if none of the runs has such a curve. */
  static void write(Markup page, List<Run> runs) {
    List<Series> lines = new ArrayList<>();
    for (int i = 0; i < runs.size(); i++) {
      EarlyExits exits = exits(runs.get(i));
      if (exits != null) {
        double[] costs = exits.points().stream().mapToDouble(point -> percentOfNetwork(exits, point)).toArray();
        double[] errors = exits.points().stream().mapToDouble(Point::error).toArray();
        lines.add(Series.ofRun(i, runs.get(i).name(), costs, errors));
      }
    }
    if (lines.isEmpty()) {
      return;
    }
    page.element("h3", "Early exits");
    page.element(
        "p",
        "An image stops at the first layer whose classifier gives its first choice at least the wanted probability. Each dot"
            + " is one such probability: the test error, over the mean cost of an image's forward pass in percent of the"
            + " whole network's. The classifiers on the way are counted, so the cost can be more than 100 %.");
    Figures.writeLegend(page, runs);
    page.open("div", "class", "panels").open("div", "class", "panel");
    Figures.write(
        page,
        new LineChart(
            "Test error over cost with early exits", "FLOPs per image, % of the network's", "error, %",
            Axis.counting(Math.floor(least(lines)), Math.ceil(most(lines))),
            Axis.covering(lines.stream().flatMapToDouble(line -> DoubleStream.of(line.y())).toArray(), true), true,
            Numbers::percent),
        lines);
    page.close().close();
    runs.stream().filter(run -> exits(run) != null).forEach(run -> writeTable(page, run));
  }

  private static double least(List<Series> lines) {
    return lines.stream().flatMapToDouble(line -> DoubleStream.of(line.x())).min().orElseThrow();
  }

  private static double most(List<Series> lines) {
    return lines.stream().flatMapToDouble(line -> DoubleStream.of(line.x())).max().orElseThrow();
  }

  private static EarlyExits exits(Run run) {
    return run.evaluation() == null ? null : run.evaluation().earlyExits();
  }

  private static double percentOfNetwork(EarlyExits exits, Point point) {
    return 100 * point.meanFlops() / exits.networkFlops();
  }

  private static void writeTable(Markup page, Run run) {
    EarlyExits exits = exits(run);
    List<String> headings = new ArrayList<>(List.of("Probability", "Error, %", "MFLOP per image", "% of the network's"));
    exits.layers().forEach(layer -> headings.add("stopped at " + layer + ", %"));
    List<List<String>> rows = new ArrayList<>();
    for (Point point : exits.points()) {
      List<String> row =
          new ArrayList<>(
              List.of(
                  Axis.label(point.confidence()), Numbers.percent(point.error()), Numbers.loss(point.meanFlops() / 1e6),
                  Numbers.fixed(percentOfNetwork(exits, point), 1)));
      IntStream.range(0, exits.layers().size()).forEach(i -> row.add(Numbers.fixed(100 * point.stopped()[i], 1)));
      rows.add(row);
    }
    Tables.writeFolded(page, "Early exits of " + run.name() + " as a table", "Early exits of " + run.name(), headings, rows);
  }
}
