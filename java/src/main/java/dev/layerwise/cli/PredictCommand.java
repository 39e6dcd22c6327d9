package dev.layerwise.cli;

import dev.layerwise.api.Layer;
import dev.layerwise.api.Model;
import dev.layerwise.api.Prediction;
import dev.layerwise.files.FileNames;
import dev.layerwise.serve.Guess;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Classifies images. */
@Command(name = "predict", description = "Classifies images with a trained network or one of its local classifiers.")
final class PredictCommand implements Callable<Integer> {
  @Mixin(name = CommonOptions.NAME)
  private CommonOptions common;

  @Parameters(index = "0", paramLabel = "MODEL", description = "A run's folder or its model.safetensors.")
  private Path path;

  @Parameters(index = "1..*", arity = "1..*", paramLabel = "IMAGE|DIR", description = ImageArguments.DESCRIPTION)
  private List<Path> images;

  @Option(
      names = "--top-k",
      paramLabel = "K",
      description = "Number of classes to print, the most likely first; at most all. Default: 1.")
  private Integer topK;

  @Option(
      names = "--layer",
      paramLabel = "LAYER",
      description = "Exit early: use this block's local classifier and skip later blocks. A number or name shown by"
          + " 'layerwise inspect'. Default: the output layer.")
  private String layer;

  @Option(
      names = ClassifierOptions.EXIT_CONFIDENCE,
      paramLabel = "P",
      description = "Exit early where it is safe: each image is classified by the first layer whose classifier gives its"
          + " first choice at least the probability P, such as 0.9. A batch is computed until its last image has stopped; with"
          + " --batch-size 1 each image stops on its own. Default: off.")
  private Double exitConfidence;

  @Option(
      names = "--temperature",
      paramLabel = "T",
      defaultValue = "1",
      description = "Divide the output layer's logits by T, as 'evaluate --calibrate' has found it, so that the probabilities"
          + " are right. Default: ${DEFAULT-VALUE}.")
  private double temperature;

  @Option(names = DataOptions.NO_EXIF, description = DataOptions.NO_EXIF_DESCRIPTION + " Default: off.")
  private boolean noExif;

  @Option(names = "--csv", description = "Print comma-separated values with a header line. Default: off.")
  private boolean csv;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      defaultValue = "64",
      description = "Images per pass. Default: ${DEFAULT-VALUE}.")
  private int batchSize;

  @Spec private CommandSpec spec;

  /** A printed prediction; the layer is the one whose classifier decided. */
  private record Event(String image, String layer, List<Guess> predictions) {}

  @Override
  public Integer call() {
    Checks.usage(!(csv && common.json), "--csv and --json exclude each other; give one of them");
    Checks.range("--top-k", topK, 1, 1_000_000);
    Checks.range("--batch-size", batchSize, 1, 1_000_000);
    ClassifierOptions.checkConfidence(exitConfidence);
    Checks.usage(
        layer == null || exitConfidence == null,
        "--layer and " + ClassifierOptions.EXIT_CONFIDENCE + " exclude each other; give one of them");
    Checks.range("--temperature", temperature, 0.01, 100);
    Checks.usage(
        temperature == 1 || layer == null && exitConfidence == null,
        "--temperature is the output layer's, so it goes neither with --layer nor with " + ClassifierOptions.EXIT_CONFIDENCE);
    ResumeHint.requireModel(path);
    ImageArguments arguments = new ImageArguments(images, spec.commandLine().getErr());
    Model.Options options = new Model.Options(common.device(), 1, !noExif);
    common.warnOfGpu(spec.commandLine().getErr());
    try (Model model = Model.open(path, options)) {
      Layer decides = layer == null ? model.outputLayer() : Checks.layer(model, layer);
      PrintWriter out = spec.commandLine().getOut();
      if (csv) {
        List<String> columns = new ArrayList<>(List.of("image", "rank", "class", "probability"));
        if (exitConfidence != null) {
          columns.add("layer");
        }
        out.println(Csv.line(columns));
      }
      Map<Layer, Integer> stopped = new LinkedHashMap<>();
      model.layers().stream().filter(Layer::classifies).forEach(of -> stopped.put(of, 0));
      arguments.read(model, batchSize, batch -> {
        List<Model.Answer> answers = answers(model, batch, decides);
        for (int i = 0; i < answers.size(); i++) {
          List<Prediction> ranked = model.ranked(probabilities(answers.get(i).outputs()));
          int shown = Math.min(Checks.or(topK, 1), ranked.size());
          print(out, batch.files().get(i), answers.get(i).layer(), ranked.subList(0, shown));
          stopped.merge(answers.get(i).layer(), 1, Integer::sum);
        }
        out.flush();
      });
      if (exitConfidence != null) {
        printStopped(stopped);
      }
    }
    return arguments.exitCode();
  }

  private List<Model.Answer> answers(Model model, ImageArguments.Batch batch, Layer decides) {
    int count = batch.files().size();
    return exitConfidence == null
        ? Arrays.stream(model.classify(batch.pixels(), count, decides.name()))
            .map(outputs -> new Model.Answer(decides, outputs)).toList()
        : model.classify(batch.pixels(), count, exitConfidence);
  }

  private double[] probabilities(float[] outputs) {
    float[] divided = new float[outputs.length];
    for (int i = 0; i < outputs.length; i++) {
      divided[i] = (float) (outputs[i] / temperature);
    }
    return Model.softmax(divided);
  }

  private void printStopped(Map<Layer, Integer> stopped) {
    PrintWriter err = spec.commandLine().getErr();
    List<String> parts = stopped.entrySet().stream().map(of -> of.getValue() + " at " + of.getKey().name()).toList();
    err.println("layerwise: images stopped: " + String.join(", ", parts));
    err.flush();
  }

  private void print(PrintWriter out, Path image, Layer decides, List<Prediction> predictions) {
    if (common.json) {
      List<Guess> guesses = Guess.of(predictions, predictions.size());
      JsonLines.print(out, "prediction", new Event(FileNames.text(image), decides.name(), guesses));
      return;
    }
    List<String> words = new ArrayList<>();
    for (int rank = 0; rank < predictions.size(); rank++) {
      Prediction prediction = predictions.get(rank);
      if (csv) {
        String probability = String.format("%.6f", prediction.probability());
        List<String> cells =
            new ArrayList<>(
                List.of(FileNames.text(image), Integer.toString(rank + 1), prediction.className(), probability));
        if (exitConfidence != null) {
          cells.add(decides.name());
        }
        out.println(Csv.line(cells));
      } else {
        words.add(String.format("%s %.2f %%", prediction.className(), 100 * prediction.probability()));
      }
    }
    if (!csv) {
      String by = exitConfidence == null ? "" : " (" + decides.name() + ")";
      out.println(FileNames.text(image) + ": " + String.join(", ", words) + by);
    }
  }
}
