package dev.layerwise.report;

import dev.layerwise.run.EpochReport;
import dev.layerwise.run.Evaluation.LayerError;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/** How what tells the classes apart builds up: layer by layer, and in each layer over the epochs. */
final class LayerSection {
  private static final int STAGES = 5;
  private static final String LAYER_AXIS = "layer (1 is next to the images)";
  private static final String TEST_ERRORS = "Test error";

  private final Markup page;
  private final List<Run> runs;
  /** Hidden layers of the deepest network; the output layers of all stand behind it. */
  private final int deepest;
  /** One for all runs, so that their charts can be compared. */
  private final Map<Measure, Axis> axes = new EnumMap<>(Measure.class);

  private LayerSection(Markup page, List<Run> runs) {
    this.page = page;
    this.runs = runs;
    deepest = runs.stream().flatMap(run -> run.last().stream()).mapToInt(epoch -> epoch.blocks().size()).max().orElse(1);
    for (Measure measure : Measure.values()) {
      DoubleStream values =
          runs.stream().filter(measure::isIn).flatMap(run -> run.epochs().stream())
              .flatMapToDouble(epoch -> DoubleStream.of(measure.values(epoch)));
      if (measure == Measure.LOCAL_ERROR) { // test errors stand in the same chart
        values = DoubleStream.concat(values, runs.stream().flatMapToDouble(run -> DoubleStream.of(testErrors(run))));
      }
      axis(values.toArray(), measure.isError(), measure);
    }
  }

  private void axis(double[] values, boolean fromZero, Measure measure) {
    if (Arrays.stream(values).anyMatch(Double::isFinite)) {
      axes.put(measure, Axis.covering(values, fromZero));
    }
  }

  static void write(Markup page, List<Run> runs) {
    page.element(
        "p",
        "Each hidden layer learns from a loss of its own. Its local error is that of its own small classifier; beside it"
            + " stands the error of the output layer. Local errors and losses are means over an epoch's training batches,"
            + " measured while the weights change and units are dropped. Test errors are measured on the test images with"
            + " the finished model. Similarity and prediction losses are weighted as in the layer's loss. All charts of a"
            + " quantity have the same vertical axis.");
    new LayerSection(page, runs).write();
  }

  private void write() {
    writeComparisons();
    boolean[] open = BestRun.unfolded(runs);
    for (int i = 0; i < runs.size(); i++) {
      Run run = runs.get(i);
      List<Measure> measures = Arrays.stream(Measure.values()).filter(axes::containsKey).filter(one -> one.isIn(run)).toList();
      Figures.openRun(page, i, run, open[i], run.loss() + ", " + deep(run));
      if (measures.isEmpty()) {
        page.element("p", reason(run));
      } else {
        writeRun(run, measures);
      }
      page.close();
    }
  }

  private static String deep(Run run) {
    return run.last().map(epoch -> epoch.blocks().size() + " hidden layers").orElse("no epoch yet");
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
  private void writeComparisons() {
    List<Measure> shared =
        axes.keySet().stream().filter(measure -> runs.stream().filter(measure::isIn).count() > 1).toList();
    boolean tested = runs.stream().filter(run -> testErrors(run).length > 0).count() > 1;
    if (shared.isEmpty() && !tested) {
      return;
    }
    page.element("h3", "After each run's last epoch");
    Figures.writeLegend(page, runs);
    page.open("div", "class", "panels");
    if (tested) {
      writeComparison(TEST_ERRORS, Measure.LOCAL_ERROR, runs.stream().map(LayerSection::testErrors).toList());
    }
    for (Measure measure : shared) {
      writeComparison(
          measure.title(), measure,
          runs.stream()
              .map(run -> measure.isIn(run) ? run.last().map(measure::values).orElseThrow() : new double[0])
              .toList());
    }
    page.close();
  }

  /** A line for each run that has values. */
  private void writeComparison(String of, Measure measure, List<double[]> values) {
    List<Series> lines = new ArrayList<>();
    for (int i = 0; i < runs.size(); i++) {
      if (values.get(i).length > 0) {
        lines.add(Series.ofRun(i, runs.get(i).name(), depths(measure, values.get(i).length), values.get(i)));
      }
    }
    double[] all = lines.stream().flatMapToDouble(line -> DoubleStream.of(line.y())).toArray();
    boolean any = Arrays.stream(all).anyMatch(Double::isFinite);
    String title = of + " by layer";
    page.open("div", "class", "panel");
    Figures.write(
        page,
        new LineChart(
            title, LAYER_AXIS, measure.axis(), layers(measure), any ? Axis.covering(all, measure.isError()) : axes.get(measure),
            true, measure::inWords),
        lines);
    List<String> headings = new ArrayList<>(List.of("Layer"));
    lines.forEach(line -> headings.add(line.label()));
    List<List<String>> rows = new ArrayList<>();
    for (int layer = 1; layer <= deepest + (measure.isError() ? 1 : 0); layer++) {
      List<String> row = new ArrayList<>(List.of(layer > deepest ? "output" : Integer.toString(layer)));
      for (Series line : lines) {
        row.add(measure.inWords(at(line, layer)));
      }
      rows.add(row);
    }
    Tables.writeFolded(page, "As a table", title + (measure.isError() ? ", %" : ""), headings, rows);
    page.close();
  }

  private void writeRun(Run run, List<Measure> measures) {
    page.open("div", "class", "panels");
    writeByLayer(run, measures.get(0));
    measures.forEach(measure -> writeOverEpochs(run, measure));
    page.close();
    measures.forEach(measure -> writeTable(run, measure));
  }

  /** The picture of the method: what one layer after another has made of the images, early and late in the run. */
  private void writeByLayer(Run run, Measure measure) {
    List<Integer> stages = Thinning.geometrically(run.epochs().size(), STAGES);
    List<Series> lines = new ArrayList<>();
    for (int stage = 0; stage < stages.size(); stage++) {
      EpochReport epoch = run.epochs().get(stages.get(stage));
      double[] values = measure.values(epoch);
      lines.add(
          Series.ofStep(
              "epoch " + epoch.epoch(), Integer.toString(epoch.epoch()), stage, stages.size(),
              depths(measure, values.length), values));
    }
    double[] tested = measure == Measure.LOCAL_ERROR ? testErrors(run) : new double[0];
    if (tested.length > 0) {
      lines.add(Series.ofTest("test images, finished model", depths(measure, tested.length), tested));
    }
    page.open("div", "class", "panel");
    Figures.write(
        page,
        new LineChart(
            measure.title() + " by layer", LAYER_AXIS, measure.axis(), layers(measure), axes.get(measure), true,
            measure::inWords),
        lines);
    Figures.writeLegendOfLayers(page, lines);
    page.close();
  }

  private void writeOverEpochs(Run run, Measure measure) {
    List<String> names = measure.layers(run.epochs().get(0));
    List<double[]> epochs = run.epochs().stream().map(measure::values).toList();
    int hidden = names.size() - (measure.isError() ? 1 : 0);
    List<Series> lines = new ArrayList<>();
    for (int layer = 0; layer < names.size(); layer++) {
      int at = layer;
      double[] values = epochs.stream().mapToDouble(epoch -> at < epoch.length ? epoch[at] : Double.NaN).toArray();
      double[] numbers = Figures.numbers(run.epochs());
      String mark = Integer.toString(layer + 1);
      lines.add(
          layer < hidden ? Series.ofStep(names.get(layer), mark, layer, hidden, numbers, values)
              : Series.ofOutput(names.get(layer), numbers, values));
    }
    page.open("div", "class", "panel");
    Figures.write(
        page,
        new LineChart(
            measure.title() + " by epoch", "epoch", measure.axis(), Figures.epochs(List.of(run)), axes.get(measure), false,
            measure::inWords),
        lines);
    Figures.writeLegendOfLayers(page, lines);
    page.close();
  }

  private static void addTestErrors(Run run, List<List<String>> rows, List<String> headings) {
    headings.add("test, finished model");
    double[] errors = testErrors(run);
    for (int i = 0; i < rows.size(); i++) {
      rows.get(i).add(Measure.LOCAL_ERROR.inWords(errors[i]));
    }
  }

  private void writeTable(Run run, Measure measure) {
    List<EpochReport> epochs =
        Thinning.evenly(run.epochs().size(), Figures.TABLE_EPOCHS).stream().map(run.epochs()::get).toList();
    List<String> headings = new ArrayList<>(List.of("Layer"));
    epochs.forEach(epoch -> headings.add("epoch " + epoch.epoch()));
    List<String> names = measure.layers(epochs.get(0));
    List<List<String>> rows = new ArrayList<>();
    for (int layer = 0; layer < names.size(); layer++) {
      boolean output = measure.isError() && layer == names.size() - 1;
      List<String> row = new ArrayList<>(List.of(output ? names.get(layer) : (layer + 1) + " " + names.get(layer)));
      for (EpochReport epoch : epochs) {
        double[] values = measure.values(epoch);
        row.add(measure.inWords(layer < values.length ? values[layer] : Double.NaN));
      }
      rows.add(row);
    }
    if (measure == Measure.LOCAL_ERROR && testErrors(run).length == rows.size()) {
      addTestErrors(run, rows, headings);
    }
    String caption = measure.title() + " of each layer of " + run.name() + (measure.isError() ? ", %" : "");
    Tables.writeFolded(page, measure.title() + " as a table", caption, headings, rows);
  }

  /** Of the hidden layers and the output layer; empty where they were not recorded, or only the output layer classifies. */
  private static double[] testErrors(Run run) {
    List<LayerError> errors = run.evaluation() == null ? null : run.evaluation().layerErrors();
    if (errors == null || errors.size() < 2 || run.epochs().isEmpty()) {
      return new double[0];
    }
    List<String> hidden = run.epochs().get(0).blocks().stream().map(EpochReport.BlockReport::name).toList();
    double[] values = new double[hidden.size() + 1];
    Arrays.fill(values, Double.NaN);
    for (LayerError error : errors) {
      int at = hidden.indexOf(error.layer());
      values[at < 0 ? hidden.size() : at] = error.error();
    }
    return values;
  }

  private Axis layers(Measure measure) {
    return Axis.layers(deepest, measure.isError());
  }

  /** Where the layers of a run stand: the output layer behind the deepest network's last. */
  private double[] depths(Measure measure, int count) {
    double[] depths = IntStream.rangeClosed(1, count).asDoubleStream().toArray();
    if (measure.isError()) {
      depths[count - 1] = deepest + 1.0;
    }
    return depths;
  }

  private static double at(Series line, int layer) {
    return IntStream.range(0, line.x().length).filter(i -> line.x()[i] == layer).mapToDouble(i -> line.y()[i]).findFirst()
        .orElse(Double.NaN);
  }
}
