package dev.layerwise.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.model.LayerCosts;
import dev.layerwise.model.LayerSpec;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.ModelFile;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeTensor;
import dev.layerwise.settings.Optimizer;
import java.io.PrintWriter;
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

/** Shows the blocks of a model. */
@Command(
    name = "inspect",
    description = {
      "Shows a model's blocks with their shapes, parameters and floating-point operations, and the memory it needs.",
      "A multiplication and an addition count as two operations. Only convolutions, linear layers and classifiers count."
    })
final class InspectCommand implements Callable<Integer> {
  @Mixin(name = CommonOptions.NAME)
  private CommonOptions common;

  @Parameters(paramLabel = "MODEL", description = "A run's folder or its model.safetensors.")
  private Path path;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      defaultValue = "1",
      description = "Number of images in the pass whose memory is measured. Default: ${DEFAULT-VALUE}.")
  private int batchSize;

  @Spec private CommandSpec spec;

  /**
   * A block.
   *
   * @param number for --layer; absent for the output layer and for blocks without a loss
   * @param output channels, height, width
   * @param parameters that prediction needs
   * @param localParameters in the local loss
   * @param flops of one image
   * @param localClassifierFlops of one image; absent without a local classifier
   */
  @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
  @JsonInclude(JsonInclude.Include.NON_NULL)
  private record Layer(
      Integer number, String name, String kind, int[] output, long parameters, long localParameters, long flops,
      Long localClassifierFlops) {}

  /**
   * The whole model.
   *
   * @param input channels, height, width
   * @param weightBytes on the device: all parameters and running statistics
   * @param activationBytes on the device: the most that the pass needed besides them
   */
  @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
  @JsonInclude(JsonInclude.Include.NON_NULL)
  private record Summary(
      String model, String loss, String dataset, int[] input, int classes, List<String> classNames, long parameters,
      long localParameters, long flops, int batchSize, long weightBytes, long activationBytes) {}

  @Override
  public Integer call() {
    Checks.range("--batch-size", batchSize, 1, 1_000_000);
    ResumeHint.requireModel(path);
    try (ModelFile file = ModelFile.read(path)) {
      return inspect(file);
    }
  }

  private int inspect(ModelFile file) {
    ModelConfig config = file.config();
    long images = (long) batchSize * config.images().elements();
    Checks.usage(images <= Integer.MAX_VALUE - 8, "--batch-size " + batchSize + " is too large for one pass");
    try (NativeContext context = NativeContext.create(common.deviceOptions(), 0);
        DeviceNetwork network = new DeviceNetwork(context, config, Optimizer.STATELESS)) {
      network.setWeights(file.weights());
      List<Layer> layers = layers(network);
      pass(context, network, (int) images);
      Summary summary = summary(file, layers, context);
      PrintWriter out = spec.commandLine().getOut();
      if (common.json) {
        layers.forEach(layer -> JsonLines.print(out, "layer", layer));
        JsonLines.print(out, "model", summary);
      } else {
        print(out, layers, summary);
      }
    }
    return 0;
  }

  private static List<Layer> layers(DeviceNetwork network) {
    List<Layer> layers = new ArrayList<>();
    int number = 0;
    for (int i = 0; i < network.layers().size(); i++) {
      LayerSpec layer = network.layers().get(i);
      boolean output = layer.kind() == LayerSpec.Kind.OUTPUT;
      LayerCosts costs = LayerCosts.of(network, i);
      layers.add(
          new Layer(
              layer.hasLoss() && !output ? (Integer) (++number) : null, layer.name(), layer.kind().toString(),
              new int[] {layer.outChannels(), layer.outHeight(), layer.outWidth()}, costs.parameters(),
              costs.localParameters(), costs.flops(),
              network.hasClassifier(layer) && !output ? (Long) costs.localClassifierFlops() : null));
    }
    return layers;
  }

  /** Computes black images with the whole network to measure its memory. */
  private void pass(NativeContext context, DeviceNetwork network, int elements) {
    ModelConfig config = network.config();
    try (NativeTensor images =
            context.tensor(
                new float[elements], batchSize, config.images().channels(), config.images().height(), config.images().width());
        NativeTensor logits = network.evaluate(images, null)) {
      logits.read();
    }
  }

  private Summary summary(ModelFile file, List<Layer> layers, NativeContext context) {
    ModelConfig config = file.config();
    return new Summary(
        config.name(), config.losses().name(), file.dataset(),
        new int[] {config.images().channels(), config.images().height(), config.images().width()}, config.classes(),
        file.input() == null ? null : file.input().classNames(), layers.stream().mapToLong(Layer::parameters).sum(),
        layers.stream().mapToLong(Layer::localParameters).sum(), layers.stream().mapToLong(Layer::flops).sum(),
        batchSize, context.memory().parameterBytes(), context.memory().arenaPeakBytes());
  }

  private static void print(PrintWriter out, List<Layer> layers, Summary summary) {
    out.printf(
        "%s, %s, trained on %s: %s images, %d classes%n%n", summary.model(), summary.loss(), summary.dataset(),
        shape(summary.input()), summary.classes());
    String row = "%5s  %-22s  %-13s  %-12s  %12s  %12s  %14s  %s%n";
    out.printf(row, "layer", "name", "kind", "output", "parameters", "of its loss", "FLOPs/image", "local classifier");
    for (Layer layer : layers) {
      String line =
          String.format(
              row, layer.number() == null ? "" : layer.number(), layer.name(), layer.kind(), shape(layer.output()),
              grouped(layer.parameters()), grouped(layer.localParameters()), grouped(layer.flops()),
              layer.localClassifierFlops() == null ? "" : grouped(layer.localClassifierFlops()) + " FLOPs");
      out.println(line.stripTrailing());
    }
    out.printf(
        "%nparameters: %s for prediction, %s in the local losses%n", grouped(summary.parameters()),
        grouped(summary.localParameters()));
    out.printf("FLOPs: %s per image%n", grouped(summary.flops()));
    out.printf(
        "memory: %s for weights, %s for activations in a pass of %d%n", size(summary.weightBytes()),
        size(summary.activationBytes()), summary.batchSize());
    if (summary.classNames() != null) {
      out.println("classes: " + String.join(", ", summary.classNames()));
    }
    out.flush();
  }

  private static String shape(int[] sizes) {
    return sizes[0] + "×" + sizes[1] + "×" + sizes[2];
  }

  private static String grouped(long count) {
    return String.format("%,d", count);
  }

  private static String size(long bytes) {
    return bytes < 1 << 20 ? String.format("%.1f KiB", bytes / 1024.0) : String.format("%.1f MiB", bytes / 1048576.0);
  }
}
