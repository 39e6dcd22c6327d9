package dev.layerwise.cli;

import dev.layerwise.export.OnnxExporter;
import dev.layerwise.model.ModelFile;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Writes a model for other runtimes. */
@Command(
    name = "export",
    description = {
      "Writes a model's network in evaluation mode as an ONNX file (operator set " + OnnxExporter.OPSET + ").",
      "The input 'images' is float32, N×C×H×W with any N, and normalized: (level / 255 - mean) / deviation per channel."
          + " The file's metadata entry layerwise.input has the mean, deviation and class names. The output 'logits' is"
          + " N×classes."
    })
final class ExportCommand implements Callable<Integer> {
  @Mixin(name = OutputOptions.NAME)
  private OutputOptions output;

  @Parameters(paramLabel = "MODEL", description = "A run's folder or its model.safetensors.")
  private Path path;

  @Option(names = "--onnx", required = true, paramLabel = "X.onnx", description = "The file to write.")
  private Path onnx;

  @Option(
      names = "--local-classifiers",
      description = "Also output every block's local classifier, as NAME.local_logits. Default: off.")
  private boolean localClassifiers;

  @Option(
      names = "--layer",
      paramLabel = "LAYER",
      description = "Cut the network behind this block's local classifier, whose outputs become 'logits'; later blocks are"
          + " left out. A number or name shown by 'layerwise inspect'. Default: the output layer.")
  private String layer;

  @Spec private CommandSpec spec;

  /** What was written. */
  private record Result(String onnx, int opset, String input, List<String> outputs) {}

  @Override
  public Integer call() {
    ResumeHint.requireModel(path);
    List<String> outputs;
    try (ModelFile file = ModelFile.read(path)) {
      if (layer != null) {
        Checks.layer(file.config(), layer);
      }
      outputs = OnnxExporter.write(file, path.toString(), layer, localClassifiers, onnx);
    }
    PrintWriter out = spec.commandLine().getOut();
    if (output.json) {
      JsonLines.print(out, "done", new Result(onnx.toString(), OnnxExporter.OPSET, "images", outputs));
    } else {
      out.printf("the network is in %s; outputs: %s%n", onnx, String.join(", ", outputs));
      out.flush();
    }
    return 0;
  }
}
