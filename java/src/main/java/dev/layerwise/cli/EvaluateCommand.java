package dev.layerwise.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.data.ClassNames;
import dev.layerwise.data.DataSet;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.Images;
import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.model.LayerSpec;
import dev.layerwise.model.ModelException;
import dev.layerwise.model.ModelFile;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.run.Evaluation;
import dev.layerwise.run.RunDirectory;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.train.Communicator;
import dev.layerwise.train.EvaluationCollector;
import dev.layerwise.train.Evaluator;
import dev.layerwise.train.ImageFeed;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Tests a trained network. */
@Command(
    name = "evaluate",
    description = {
      "Tests a trained network: its error, each block's local error, and the confusion matrix.",
      "Started with mpirun, several processes share the images; the result is that of one."
    })
final class EvaluateCommand implements Callable<Integer> {
  @Mixin(name = CommonOptions.NAME)
  private CommonOptions common;

  @Mixin private DataOptions data;

  @Parameters(paramLabel = "MODEL", description = "A run's folder or its model.safetensors.")
  private Path model;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      defaultValue = "128",
      description = "Images per pass. Default: ${DEFAULT-VALUE}.")
  private int batchSize;

  @Option(
      names = "--save",
      description = "Also write evaluation.json to the run's folder, from which 'layerwise report' shows the confusion matrix"
          + " and mistakes. Training also writes it at its end. Default: off.")
  private boolean save;

  @Spec private CommandSpec spec;

  /**
   * The printed result.
   *
   * @param confusionMatrix row: true class, column: predicted class, entries: images
   */
  @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
  private record Result(
      double testError, double testLoss, int images, String device, String precision, int threads, double seconds,
      List<Layer> layers, int[][] confusionMatrix) {}

  /** A hidden block; no local error if its loss has no classifier. */
  @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
  @JsonInclude(JsonInclude.Include.NON_NULL)
  private record Layer(String name, Double localError) {}

  @Override
  public Integer call() {
    return Launch.together(this::call);
  }

  private int call(Communicator processes) {
    Checks.range("--batch-size", batchSize, 1, 1_000_000);
    ResumeHint.requireModel(model);
    ModelFile file = ModelFile.read(model);
    Checks.usage(
        !save || isOfRun(),
        "--save needs a run's folder, or the " + ModelFile.FILE_NAME + " next to its " + RunDirectory.CONFIG + "; " + model
            + " is neither");
    String name = Checks.or(data.dataset, file.dataset());
    if (data.dataset == null && !new DataOptions.Names().contains(name)) {
      throw new ModelException(
          model + " was trained on '" + name + "', whose images only the program that trained it has; give a"
              + " --dataset with the same classes");
    }
    DataSet<?> images = data.load(data.info(name, file.config().images().height(), spec.commandLine().getErr()));
    DataSetInfo info = images.info();
    file.config()
        .requireFits(model.toString(), images.test().shape(), info.classes(), info.title(), "give its own --dataset");
    if (file.input() != null) { // files of older versions lack the class names
      ClassNames.requireSame(file.input().classNames(), info, model.toString());
    }
    Launch.requireSameInput(processes, model, images.test(), batchSize);
    Result result = evaluate(file, images, processes);
    data.printSkipped(spec.commandLine().getErr(), processes);
    PrintWriter out = spec.commandLine().getOut();
    if (common.json) {
      JsonLines.print(out, "done", result);
    } else {
      print(out, result, images);
    }
    return 0;
  }

  private Result evaluate(ModelFile file, DataSet<?> data, Communicator processes) {
    Images test = data.test();
    EvaluationCollector collector = new EvaluationCollector(data.info(), test.count(), batchSize);
    try (NativeContext context = NativeContext.create(file.on(common.deviceOptions()), 0);
        DeviceNetwork network = new DeviceNetwork(context, file.config(), Optimizer.STATELESS);
        ImageFeed feed = ImageFeed.of(context, test, data.info(), 0)) {
      network.setWeights(file.weights());
      DeviceOptions device = context.inUse();
      processes.requireEqual("the precision", device.precision());
      Launch.warnOfCores(device.threads(), common.threads != null, spec.commandLine().getErr());
      CommonOptions.printInUse(device, spec.commandLine().getErr());
      long started = System.nanoTime();
      List<BlockMetrics> metrics = Evaluator.evaluate(network, feed, test.count(), batchSize, processes, collector);
      double seconds = (System.nanoTime() - started) * 1e-9;
      BlockMetrics output = metrics.get(metrics.size() - 1);
      Evaluation evaluation = collector.evaluation(processes);
      if (save && processes.isFirst()) {
        save(evaluation);
      }
      return new Result(
          output.errorPercent(), output.meanPredictionLoss(), (int) output.samples(), device.device(),
          device.precision(), device.threads(), seconds,
          layers(network, metrics), evaluation.confusionMatrix());
    }
  }

  private Path folder() {
    return Files.isDirectory(model) ? model : model.toAbsolutePath().getParent();
  }

  /** Whether the model belongs to the run in its folder. */
  private boolean isOfRun() {
    return Files.exists(folder().resolve(RunDirectory.CONFIG))
        && (Files.isDirectory(model) || model.endsWith(ModelFile.FILE_NAME));
  }

  private void save(Evaluation evaluation) {
    try (RunDirectory directory = RunDirectory.open(folder())) {
      directory.writeEvaluation(evaluation);
    }
  }

  private static List<Layer> layers(DeviceNetwork network, List<BlockMetrics> metrics) {
    boolean classifies = network.config().losses().hasLocalClassifiers();
    List<LayerSpec> specs = network.measuredLayers();
    List<Layer> layers = new ArrayList<>();
    for (int i = 0; i < specs.size() - 1; i++) {
      BlockMetrics of = metrics.get(i);
      layers.add(new Layer(specs.get(i).name(), classifies ? (Double) of.errorPercent() : null));
    }
    return layers;
  }

  private static void print(PrintWriter out, Result result, DataSet<?> data) {
    out.printf(
        "test error %.2f %% (loss %.4f) on %d images of %s%n",
        result.testError(), result.testLoss(), result.images(), data.info().title());
    for (Layer layer : result.layers()) {
      out.printf(
          "  %-22s  %s%n", layer.name(),
          layer.localError() == null ? "no local classifier" : String.format("local error %.2f %%", layer.localError()));
    }
    List<String> names = data.info().classNames();
    int widest = names.stream().mapToInt(String::length).max().orElse(1);
    out.printf("%nconfusion matrix: one row per true class, one column per predicted class%n");
    for (int row = 0; row < names.size(); row++) {
      StringBuilder line = new StringBuilder(String.format("  %3d %-" + widest + "s ", row, names.get(row)));
      for (int count : result.confusionMatrix()[row]) {
        line.append(String.format(" %5d", count));
      }
      out.println(line);
    }
    out.flush();
  }
}
