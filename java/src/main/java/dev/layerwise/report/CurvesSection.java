package dev.layerwise.report;

import dev.layerwise.run.EpochReport;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeSet;
import java.util.function.DoubleFunction;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;

/** Values of whole runs over their epochs. */
final class CurvesSection {
  private CurvesSection() {}

  /** A value of each epoch; NaN where a run has none. */
  private record Curve(String title, ToDoubleFunction<EpochReport> value) {
    /** What has no validation images has no value. */
    static Curve held(String title, Function<EpochReport, Double> value) {
      return new Curve(title, epoch -> value.apply(epoch) == null ? Double.NaN : value.apply(epoch));
    }
  }

  static void write(Markup page, List<Run> runs) {
    Figures.writeLegend(page, runs);
    page.open("div", "class", "panels");
    DoubleFunction<String> percent = Numbers::percent;
    DoubleFunction<String> loss = Numbers::loss;
    write(
        page, runs, "error, %", percent,
        Curve.held("Validation error", EpochReport::validationError), new Curve("Test error", EpochReport::testError));
    write(page, runs, "error, %", percent, new Curve("Training error", EpochReport::trainError));
    write(page, runs, "cross-entropy", loss, new Curve("Training loss", EpochReport::trainLoss));
    write(
        page, runs, "cross-entropy", loss,
        Curve.held("Validation loss", EpochReport::validationLoss), new Curve("Test loss", EpochReport::testLoss));
    page.close();
  }

  /** How fast the runs were. */
  static void writeSpeeds(Markup page, List<Run> runs) {
    page.open("div", "class", "panels");
    write(page, runs, "images/s", Numbers::count, new Curve("Training speed", EpochReport::imagesPerSecond));
    page.close();
  }

  /** Charts of one quantity, which share an axis; none for a curve that no run has. */
  private static void write(
      Markup page, List<Run> runs, String unit, DoubleFunction<String> number, Curve... curves) {
    double[] values =
        Stream.of(curves).flatMapToDouble(curve -> runs.stream().flatMapToDouble(run -> DoubleStream.of(values(run, curve))))
            .toArray();
    Axis y = Arrays.stream(values).anyMatch(Double::isFinite) ? Axis.covering(values, true) : Axis.covering(new double[1], true);
    for (int i = 0; i < curves.length; i++) {
      Curve curve = curves[i];
      List<Series> lines = new ArrayList<>();
      for (int run = 0; run < runs.size(); run++) {
        double[] own = values(runs.get(run), curve);
        if (DoubleStream.of(own).anyMatch(Double::isFinite)) {
          lines.add(Series.ofRun(run, runs.get(run).name(), Figures.numbers(runs.get(run).epochs()), own));
        }
      }
      if (!lines.isEmpty() || i == curves.length - 1) {
        page.open("div", "class", "panel");
        LineChart chart = new LineChart(curve.title(), "epoch", unit, Figures.epochs(runs), y, false, number);
        Figures.write(page, chart, lines);
        writeTable(page, runs, chart, curve);
        page.close();
      }
    }
  }

  private static double[] values(Run run, Curve curve) {
    return run.epochs().stream().mapToDouble(curve.value()).toArray();
  }

  private static void writeTable(Markup page, List<Run> runs, LineChart chart, Curve curve) {
    TreeSet<Integer> all = new TreeSet<>();
    runs.forEach(run -> run.epochs().forEach(epoch -> all.add(epoch.epoch())));
    List<Integer> numbers = List.copyOf(all);
    TreeSet<Integer> chosen = new TreeSet<>();
    Thinning.evenly(numbers.size(), Figures.TABLE_EPOCHS).forEach(at -> chosen.add(numbers.get(at)));
    runs.forEach(run -> run.last().ifPresent(epoch -> chosen.add(epoch.epoch()))); // where each line ends
    List<String> headings = new ArrayList<>(List.of("Epoch"));
    runs.forEach(run -> headings.add(run.name()));
    List<List<String>> rows = new ArrayList<>();
    for (int number : chosen) {
      List<String> row = new ArrayList<>(List.of(Integer.toString(number)));
      for (Run run : runs) {
        row.add(
            run.epochs().stream().filter(epoch -> epoch.epoch() == number).findFirst()
                .map(epoch -> curve.value().applyAsDouble(epoch)).filter(value -> !value.isNaN())
                .map(chart.number()::apply).orElse("–"));
      }
      rows.add(row);
    }
    Tables.writeFolded(page, "As a table", chart.title(), headings, rows);
  }
}
