package dev.layerwise.cli;

import dev.layerwise.bench.StepBenchmark;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.DataSets;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.run.ConfigFile;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.Batches;
import dev.layerwise.settings.ImageShape;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Settings;
import dev.layerwise.train.BatchSlice;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What to measure. */
final class BenchOptions {
  /** The published vgg8b with the nonlinearity of predsim, for colour images of 32×32 pixels. */
  static final ModelConfig MODEL =
      new ModelConfig(
          Settings.with(Architecture.DEFAULT, "nonlin", "leakyrelu"),
          Losses.DEFAULT, new ImageShape(3, 32, 32), 100, null);

  private static final Pattern INPUT = Pattern.compile("([1-9]\\d{0,4})x([1-9]\\d{0,4})x([1-9]\\d{0,4})");

  @Option(
      names = RunOptions.CONFIG,
      paramLabel = "FILE",
      description = "Take network, losses, optimizer, batch size, images, classes and device from a JSON file, such as a"
          + " run's config.json; other options override them. What else it says does not change a step. Default: none.")
  private Path configPath;

  @Mixin private ModelOptions network = new ModelOptions();

  @Option(
      names = "--input",
      paramLabel = "CxHxW",
      description = "Channels, height and width of an image. Default: 3x32x32.")
  private String input;

  @Option(names = "--classes", paramLabel = "N", description = "Number of classes. Default: 100.")
  private Integer classes;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      description = "Images per step, of all processes together. Default: 128.")
  private Integer batchSize;

  @Option(
      names = "--steps",
      paramLabel = "N",
      defaultValue = "10",
      description = "Number of measured steps. Default: ${DEFAULT-VALUE}.")
  int steps;

  @Option(
      names = "--warmup",
      paramLabel = "N",
      defaultValue = "4",
      description = "Number of steps before measuring, in which the device allocates memory and prepares its kernels. Default:"
          + " ${DEFAULT-VALUE}.")
  private int warmup;

  private ConfigFile file; // null: none was given

  /** Reads the file and judges the options; call it first. */
  void check() {
    Checks.range("--classes", classes, 2, 1_000_000);
    Checks.range("--steps", steps, 1, 1_000_000);
    Checks.range("--warmup", warmup, 1, 1_000_000);
    file = configPath == null ? null : ConfigFile.read(configPath);
  }

  /** The network described by the options, over that of the file. */
  ModelConfig model() {
    ModelConfig base = MODEL;
    if (file != null) {
      ModelConfig ofData = DataSets.names().contains(file.dataset()) ? imagesOf(DataSets.info(file.dataset())) : MODEL;
      base = file.modelOver(file.imagesOver(ofData));
    }
    base = base.with(input == null ? base.images() : inputShape(), Checks.or(classes, base.classes()));
    ModelConfig model = network.over(base);
    Settings.with(Batches.DEFAULT, "batch_size", batchSize()).requireFit(model.architecture());
    return model;
  }

  private static ModelConfig imagesOf(DataSetInfo data) {
    return MODEL.with(new ImageShape(data.channels(), data.height(), data.width()), data.classes());
  }

  private ImageShape inputShape() {
    Matcher size = INPUT.matcher(input);
    Checks.usage(size.matches(), "--input takes channels, height and width, such as 3x32x32, not " + input);
    return new ImageShape(
        Integer.parseInt(size.group(1)), Integer.parseInt(size.group(2)), Integer.parseInt(size.group(3)));
  }

  /** Images per step. */
  int batchSize() {
    return batchSize != null || file == null ? Checks.or(batchSize, Batches.DEFAULT.batchSize())
        : file.batchesOver(Batches.DEFAULT).batchSize();
  }

  /** The device of the options, over that of the file; what a run has chosen for its own sizes does not count. */
  DeviceOptions device(CommonOptions common) {
    return file == null ? common.deviceOptions()
        : common.over(file.deviceOver(DeviceOptions.of(DeviceOptions.AUTO, 0))).withEngineChoices("");
  }

  private Optimizer optimizer() {
    return file == null ? Optimizer.DEFAULT : file.optimizerOver(Optimizer.DEFAULT);
  }

  /** A benchmark after its warm-up. */
  StepBenchmark start(NativeContext context, ModelConfig model, BatchSlice slice) {
    StepBenchmark benchmark = new StepBenchmark(context, model, optimizer(), slice, batchSize());
    try {
      for (int i = 0; i < warmup; i++) {
        benchmark.step();
      }
      return benchmark;
    } catch (RuntimeException e) {
      benchmark.close();
      throw e;
    }
  }
}
