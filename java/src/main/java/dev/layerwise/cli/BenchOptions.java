package dev.layerwise.cli;

import dev.layerwise.bench.StepBenchmark;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.Batches;
import dev.layerwise.settings.ImageShape;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Settings;
import dev.layerwise.train.BatchSlice;
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

  @Mixin private ModelOptions network = new ModelOptions();

  @Option(
      names = "--input",
      paramLabel = "CxHxW",
      defaultValue = "3x32x32",
      description = "Channels, height and width of an image. Default: ${DEFAULT-VALUE}.")
  private String input;

  @Option(
      names = "--classes",
      paramLabel = "N",
      defaultValue = "100",
      description = "Number of classes. Default: ${DEFAULT-VALUE}.")
  private int classes;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      defaultValue = "128",
      description = "Images per step, of all processes together. Default: ${DEFAULT-VALUE}.")
  int batchSize;

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

  /** The network described by the options. */
  ModelConfig model() {
    Matcher size = INPUT.matcher(input);
    Checks.usage(size.matches(), "--input takes channels, height and width, such as 3x32x32, not " + input);
    Checks.range("--classes", classes, 2, 1_000_000);
    Checks.range("--steps", steps, 1, 1_000_000);
    Checks.range("--warmup", warmup, 1, 1_000_000);
    ImageShape images =
        new ImageShape(
            Integer.parseInt(size.group(1)), Integer.parseInt(size.group(2)), Integer.parseInt(size.group(3)));
    ModelConfig model = network.over(MODEL.with(images, classes));
    Settings.with(Batches.DEFAULT, "batch_size", batchSize).requireFit(model.architecture());
    return model;
  }

  /** A benchmark after its warm-up. */
  StepBenchmark start(NativeContext context, ModelConfig model, BatchSlice slice) {
    StepBenchmark benchmark = new StepBenchmark(context, model, Optimizer.DEFAULT, slice, batchSize);
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
