package dev.layerwise.report;

import dev.layerwise.run.EpochReport;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** How what tells the classes apart builds up: layer by layer, and in each layer over the epochs. */
final class LayerSection {
  private static final int STAGES = 5;
  private static final String LAYER_AXIS = "layer (1 is next to the images)";

  private LayerSection() {}

  static void write(Markup page, List<Run> runs) {
    page.element(
        "p",
        "Each hidden layer learns from a loss of its own. Its local error is that of its own small classifier; the last"
            + " value in such a chart is the training error of the output layer. All are means over an epoch's training"
            + " batches, measured while the weights change and units are dropped. Similarity and prediction losses are"
            + " weighted as in the layer's loss.");
    writeComparisons(page, runs);
    for (int i = 0; i < runs.size(); i++) {
      Run run = runs.get(i);
      page.open("section", "aria-labelledby", "layers-" + (i + 1));
      Figures.writeRunHeading(page, i, run, "layers-" + (i + 1));
      List<Measure> measures = Arrays.stream(Measure.values()).filter(measure -> measure.isIn(run)).toList();
      if (measures.isEmpty()) {
        page.element("p", reason(run));
      } else {
        writeRun(page, run, measures);
      }
      page.close();
    }
  }

  private static String reason(Run run) {
    if (run.epochs().isEmpty()) {
      return "No epoch is finished yet.";
    }
    return run.loss().equals("backprop")
        ? "Trained by backpropagation of one loss: its layers have no losses of their own."
        : "It has no hidden layers with losses of their own.";
  }

  /** What layer after layer has come to in each run, of all measures that several runs have. */
  private static void writeComparisons(Markup page, List<Run> runs) {
    List<Measure> shared =
        Arrays.stream(Measure.values()).filter(measure -> runs.stream().filter(measure::isIn).count() > 1).toList();
    if (!shared.isEmpty()) {
      page.element("h3", "After each run's last epoch");
      page.open("div", "class", "panels");
      shared.forEach(measure -> writeComparison(page, runs, measure));
      page.close();
    }
  }

  private static void writeComparison(Markup page, List<Run> runs, Measure measure) {
    List<Series> lines = new ArrayList<>();
    for (int i = 0; i < runs.size(); i++) {
      Run run = runs.get(i);
      if (measure.isIn(run)) {
        double[] values = run.last().map(measure::values).orElseThrow();
        lines.add(Series.ofRun(i, run.name(), depths(values.length), values));
      }
    }
    String title = measure.title() + " by layer";
    page.open("div", "class", "panel");
    Figures.write(
        page,
        new LineChart(title, LAYER_AXIS, measure.axis(), measure.isError(), true, measure::inWords),
        lines);
    Figures.writeLegend(page, lines, true);
    List<String> headings = new ArrayList<>(List.of("Layer"));
    lines.forEach(line -> headings.add(line.label()));
    int deepest = lines.stream().mapToInt(line -> line.y().length).max().orElse(0);
    List<List<String>> rows = new ArrayList<>();
    for (int layer = 0; layer < deepest; layer++) {
      List<String> row = new ArrayList<>(List.of(Integer.toString(layer + 1)));
      for (Series line : lines) {
        row.add(measure.inWords(at(line.y(), layer)));
      }
      rows.add(row);
    }
    Tables.writeFolded(page, "As a table", title + (measure.isError() ? ", %" : ""), headings, rows);
    page.close();
  }

  private static void writeRun(Markup page, Run run, List<Measure> measures) {
    page.open("div", "class", "panels");
    writeByLayer(page, run, measures.get(0));
    measures.forEach(measure -> writeOverEpochs(page, run, measure));
    page.close();
    measures.forEach(measure -> writeTable(page, run, measure));
  }

  /** The picture of the method: what one layer after another has made of the images, early and late in the run. */
  private static void writeByLayer(Markup page, Run run, Measure measure) {
    List<Integer> stages = Thinning.geometrically(run.epochs().size(), STAGES);
    List<Series> lines = new ArrayList<>();
    for (int stage = 0; stage < stages.size(); stage++) {
      EpochReport epoch = run.epochs().get(stages.get(stage));
      double[] values = measure.values(epoch);
      lines.add(
          Series.ofStep(
              "epoch " + epoch.epoch(), Integer.toString(epoch.epoch()), stage, stages.size(), depths(values.length),
              values));
    }
    page.open("div", "class", "panel");
    Figures.write(
        page,
        new LineChart(
            measure.title() + " by layer", LAYER_AXIS, measure.axis(), measure.isError(), true, measure::inWords),
        lines);
    page.open("ul", "class", "legend");
    lines.forEach(
        line -> {
          page.open("li");
          Figures.writeKey(page, line);
          page.text(line.label()).close();
        });
    page.close().close();
  }

  private static void writeOverEpochs(Markup page, Run run, Measure measure) {
    List<String> names = measure.layers(run.epochs().get(0));
    List<double[]> epochs = run.epochs().stream().map(measure::values).toList();
    List<Series> lines = new ArrayList<>();
    for (int layer = 0; layer < names.size(); layer++) {
      int at = layer;
      double[] values = epochs.stream().mapToDouble(epoch -> at(epoch, at)).toArray();
      lines.add(
          Series.ofStep(
              names.get(layer), Integer.toString(layer + 1), layer, names.size(), Figures.numbers(run.epochs()),
              values));
    }
    page.open("div", "class", "panel");
    Figures.write(
        page,
        new LineChart(
            measure.title() + " by epoch", "epoch", measure.axis(), measure.isError(), false,
            measure::inWords),
        lines);
    Figures.writeLegend(page, lines, false);
    page.close();
  }

  private static void writeTable(Markup page, Run run, Measure measure) {
    List<EpochReport> epochs =
        Thinning.evenly(run.epochs().size(), Figures.TABLE_EPOCHS).stream().map(run.epochs()::get).toList();
    List<String> headings = new ArrayList<>(List.of("Layer"));
    epochs.forEach(epoch -> headings.add("epoch " + epoch.epoch()));
    List<String> names = measure.layers(epochs.get(0));
    List<List<String>> rows = new ArrayList<>();
    for (int layer = 0; layer < names.size(); layer++) {
      List<String> row = new ArrayList<>(List.of((layer + 1) + " " + names.get(layer)));
      for (EpochReport epoch : epochs) {
        row.add(measure.inWords(at(measure.values(epoch), layer)));
      }
      rows.add(row);
    }
    String caption = measure.title() + " of each layer of " + run.name() + (measure.isError() ? ", %" : "");
    Tables.writeFolded(page, measure.title() + " as a table", caption, headings, rows);
  }

  private static double at(double[] values, int index) {
    return index < values.length ? values[index] : Double.NaN;
  }

  private static double[] depths(int count) {
    return IntStream.rangeClosed(1, count).asDoubleStream().toArray();
  }
}
