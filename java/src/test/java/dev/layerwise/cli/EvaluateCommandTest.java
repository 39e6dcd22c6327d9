package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import dev.layerwise.LayerwiseException;
import dev.layerwise.api.DataSet;
import dev.layerwise.api.Evaluation;
import dev.layerwise.api.Layer;
import dev.layerwise.api.Model;
import dev.layerwise.data.DataSets;
import dev.layerwise.data.ImageSet;
import dev.layerwise.data.SyntheticFiles;
import dev.layerwise.data.ValidationSplit;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@code evaluate} finds is what follows from the probabilities that the library gives. */
class EvaluateCommandTest {
  @TempDir private static Path folder;
  private static Path run;
  private static ImageSet train;
  private static ImageSet test;
  private static Model model;

  @BeforeAll
  static void train() {
    run = train("run", "--loss", "pred", "--lr", "2e-3", "--batch-size", "32", "--epochs", "3", "--num-hidden", "24");
    train = (ImageSet) DataSets.load("digits", null).train();
    test = (ImageSet) DataSets.load("digits", null).test();
    model = Model.open(run, Model.Options.of("cpu", 1, 1));
  }

  private static Path train(String name, String... options) {
    Path to = folder.resolve(name);
    List<Object> words = new ArrayList<>(List.of("train", "--threads", 1, "--out", to));
    words.addAll(List.of(options));
    CommandLineRunner training = CommandLineRunner.run(words.toArray());
    assertThat(training.exitCode()).as(training.err()).isZero();
    return to;
  }

  private static CommandLineRunner evaluate(Path path, Object... options) {
    List<Object> words = new ArrayList<>(List.of("evaluate", path, "--threads", 1));
    words.addAll(List.of(options));
    return CommandLineRunner.run(words.toArray());
  }

  private static JsonNode json(Object... options) {
    List<Object> words = new ArrayList<>(List.of("--json", "--batch-size", test.count()));
    words.addAll(List.of(options));
    CommandLineRunner evaluation = evaluate(run, words.toArray());
    assertThat(evaluation.exitCode()).as(evaluation.err()).isZero();
    return evaluation.lastEvent();
  }

  @Test
  void theLibraryFindsTheSame() {
    JsonNode expected = json("--batch-size", 128);
    Evaluation found = model.evaluate(DataSet.named("digits"));
    assertThat(found.error()).isEqualTo(expected.get("test_error").doubleValue());
    assertThat(found.loss()).isEqualTo(expected.get("test_loss").doubleValue());
    assertThat(found.top5Error()).isEqualTo(expected.get("top5_error").doubleValue());
    assertThat(found.images()).isEqualTo(test.count());
    for (int i = 0; i < expected.get("layers").size(); i++) {
      JsonNode layer = expected.get("layers").get(i);
      assertThat(found.layers().get(i))
          .isEqualTo(new Evaluation.LayerError(layer.get("name").asText(), layer.get("local_error").doubleValue()));
    }
    assertThat(found.layers()).hasSameSizeAs(expected.get("layers"));
    for (int i = 0; i < 10; i++) {
      assertThat(found.classes().get(i).recall()).isEqualTo(expected.get("classes").get(i).get("recall").doubleValue());
      assertThat(found.confusionMatrix()[i][i]).isEqualTo(expected.get("confusion_matrix").get(i).get(i).intValue());
    }
    assertThat(model.evaluate(DataSet.named("digits"))).usingRecursiveComparison().isEqualTo(found);
    DataSet others = DataSet.of(
        "own", List.of("a", "b"), 1, 8, 8, new byte[128], new int[] {0, 1}, new byte[128], new int[] {0, 1});
    assertThatThrownBy(() -> model.evaluate(others))
        .isInstanceOf(LayerwiseException.class)
        .hasMessage("the model has 10 classes, but own has 2; give the data set that it was trained on");
  }

  /** Of each classifier, for each image the probabilities. */
  private static List<double[][]> probabilities(byte[] pixels, int count) {
    return model.layers().stream()
        .filter(Layer::classifies)
        .map(layer -> Arrays.stream(model.classify(pixels, count, layer.name())).map(Model::softmax)
            .toArray(double[][]::new))
        .toList();
  }

  private static int largest(double[] values) {
    return IntStream.range(0, values.length).reduce(0, (best, i) -> values[i] > values[best] ? i : best);
  }

  private static double[] sum(List<double[][]> classifiers, int image) {
    double[] sum = new double[10];
    classifiers.forEach(of -> Arrays.setAll(sum, i -> sum[i] + of[image][i]));
    return sum;
  }

  private static double error(List<double[][]> classifiers, int[] labels) {
    return 100.0 * IntStream.range(0, labels.length).filter(i -> largest(sum(classifiers, i)) != labels[i]).count()
        / labels.length;
  }

  @Test
  void needsNoTrainingFiles() throws IOException {
    Path data = Files.createDirectory(folder.resolve("test-files-only"));
    SyntheticFiles.writeMnist(data, 20, 10);
    String files = " --dataset mnist --data-dir " + data;
    Path mnist = folder.resolve("mnist-run");
    CommandLineRunner.succeed("train --epochs 1 --num-layers 1 --num-hidden 8 --loss pred --out " + mnist + files);
    String before = CommandLineRunner.succeed("evaluate " + mnist + files).out();
    for (String name : List.of(SyntheticFiles.TRAIN_IMAGES, SyntheticFiles.TRAIN_LABELS)) {
      Files.delete(data.resolve(name));
    }
    assertThat(CommandLineRunner.succeed("evaluate " + mnist + files).out()).isEqualTo(before);
    String out = " --out " + folder.resolve("features.npy");
    CommandLineRunner.succeed("embed " + mnist + files + out);
    for (String words : List.of("evaluate " + mnist + " --classifier best --validation 0.2" + files,
        "embed " + mnist + " --split train" + files + out)) {
      CommandLineRunner refused = CommandLineRunner.line(words);
      assertThat(refused.exitCode()).as(words).isEqualTo(1);
      assertThat(refused.err()).contains("MNIST in " + data + " is incomplete, missing train-images-idx3-ubyte");
    }
  }

  @Test
  void topFivePrecisionAndRecallFollowFromTheOutputs() {
    JsonNode evaluation = json();
    double[][] output = probabilities(test.pixels(0, test.count()), test.count()).get(3);
    long missed = IntStream.range(0, test.count())
        .filter(i -> Arrays.stream(output[i]).filter(p -> p > output[i][test.labels()[i]]).count() >= 5).count();
    assertThat(evaluation.get("top5_error").asDouble()).isEqualTo(100.0 * missed / test.count()).isPositive();
    for (int label = 0; label < 10; label++) {
      int of = label;
      double taken = IntStream.range(0, test.count()).filter(i -> largest(output[i]) == of).count();
      double there = IntStream.of(test.labels()).filter(one -> one == of).count();
      long right =
          IntStream.range(0, test.count()).filter(i -> test.labels()[i] == of && largest(output[i]) == of).count();
      JsonNode score = evaluation.get("classes").get(label);
      assertThat(score.get("name").asText()).isEqualTo(Integer.toString(label));
      assertThat(score.get("images").asInt()).isEqualTo((int) there);
      assertThat(score.get("precision").asDouble()).isEqualTo(right / taken);
      assertThat(score.get("recall").asDouble()).isEqualTo(right / there);
    }
    String text = evaluate(run).out();
    assertThat(text)
        .containsPattern("top-5 error \\d+\\.\\d\\d %\n")
        .containsPattern("precision and recall of each class, in percent\n  0 +\\d+\\.\\d\\d +\\d+\\.\\d\\d\n")
        .doesNotContain("augmentation", "early exit", "classifier,");
  }

  @Test
  void theConfusionMatrixIsWrittenToAFile() throws IOException {
    JsonNode matrix = json().get("confusion_matrix");
    Path csv = folder.resolve("confusion.csv");
    Path png = folder.resolve("confusion.PNG");
    assertThat(evaluate(run, "--confusion", csv).exitCode()).isZero();
    assertThat(evaluate(run, "--confusion", png).exitCode()).isZero();

    List<String> lines = Files.readAllLines(csv);
    assertThat(lines).hasSize(11).first().isEqualTo("true class,0,1,2,3,4,5,6,7,8,9");
    BufferedImage map = ImageIO.read(png.toFile());
    assertThat(map.getWidth()).isEqualTo(400);
    for (int right = 0; right < 10; right++) {
      int images = 0;
      List<String> counts = new ArrayList<>(List.of(Integer.toString(right)));
      for (JsonNode count : matrix.get(right)) {
        images += count.asInt();
        counts.add(count.asText());
      }
      assertThat(lines.get(right + 1)).isEqualTo(String.join(",", counts));
      for (int predicted = 0; predicted < 10; predicted++) {
        int blue = map.getRGB(40 * predicted + 20, 40 * right + 20) & 0xff;
        assertThat(blue).isEqualTo((int) Math.round(255 - 148.0 * matrix.get(right).get(predicted).asInt() / images));
      }
    }
  }

  @Test
  void aMatrixThatIsTooWideIsNotPrinted() throws IOException {
    Path data = folder.resolve("cifar");
    int[][] labels = IntStream.range(0, 200).mapToObj(i -> new int[] {i % 20, i % 100}).toArray(int[][]::new);
    SyntheticFiles.write(data.resolve("train.bin"), SyntheticFiles.cifar(labels));
    SyntheticFiles.write(data.resolve("test.bin"), SyntheticFiles.cifar(labels));
    Path wide =
        train("wide", "--dataset", "cifar-100", "--data-dir", data.toString(), "--model", "mlp", "--num-hidden", "8", "--epochs", "1");
    CommandLineRunner printed = evaluate(wide);
    assertThat(printed.exitCode()).as(printed.err()).isZero();
    assertThat(printed.out()).contains("most frequent mistakes: true class, predicted class, images")
        .doesNotContain("confusion matrix");
    assertThat(printed.out().lines()).allSatisfy(line -> assertThat(line.length()).isLessThanOrEqualTo(120));
  }

  @Test
  void theChosenClassifiersAreChosenOnTrainingImages() {
    int[] heldOut = ValidationSplit.of(train.labels(), 10, 0.2, 1).heldOut();
    byte[] pixels = new byte[heldOut.length * 64];
    for (int i = 0; i < heldOut.length; i++) {
      train.pixels().get(heldOut[i] * 64, pixels, i * 64, 64);
    }
    int[] labels = IntStream.of(heldOut).map(i -> train.labels()[i]).toArray();
    List<double[][]> there = probabilities(pixels, heldOut.length);
    List<double[][]> here = probabilities(test.pixels(0, test.count()), test.count());
    List<String> names = model.layers().stream().map(Layer::name).toList();

    JsonNode plain = json();
    for (String kind : List.of("best", "average")) {
      JsonNode evaluation = json("--classifier", kind, "--validation", 0.2);
      JsonNode chosen = evaluation.get("classifier");
      double least = Double.MAX_VALUE;
      List<Integer> answering = List.of();
      for (int first = 3; first >= 0; first--) {
        int end = kind.equals("best") ? first + 1 : 4;
        double error = error(there.subList(first, end), labels);
        if (error < least) {
          least = error;
          answering = IntStream.range(first, end).boxed().toList();
        }
      }
      assertThat(chosen.get("kind").asText()).isEqualTo(kind);
      assertThat(chosen.get("layers")).map(JsonNode::asText)
          .containsExactlyElementsOf(answering.stream().map(names::get).toList());
      assertThat(chosen.get("validation_images").asInt()).isEqualTo(heldOut.length);
      // Batches of another size round differently, and may decide an image that is close.
      assertThat(chosen.get("validation_error").asDouble()).isCloseTo(least, within(100.0 / heldOut.length + 1e-9));
      assertThat(chosen.get("test_error").asDouble())
          .isEqualTo(error(here.subList(answering.get(0), answering.get(answering.size() - 1) + 1), test.labels()));
      assertThat(evaluation.get("test_error")).isEqualTo(plain.get("test_error"));
      assertThat(plain.has("classifier")).isFalse();
    }
    CommandLineRunner text = evaluate(run, "--classifier", "average", "--validation", 0.2);
    assertThat(text.out()).containsPattern("test error of the mean of the last .*: \\S+ % \\(chosen on 287 training images");
    assertThat(text.err()).contains("the choice is optimistic; train with --validation to hold them out");
  }

  @Test
  void aRunsOwnHeldOutImagesAreUsedWithoutAWarning() {
    Path validated =
        train("validated", "--loss", "pred", "--epochs", "2", "--num-hidden", "16", "--validation", "0.1", "--seed", "7");
    JsonNode epoch = CommandLineRunner.run("train", "--resume", validated, "--epochs", 3, "--json").events().get(0);
    CommandLineRunner evaluation = evaluate(validated, "--classifier", "best");
    assertThat(evaluation.exitCode()).as(evaluation.err()).isZero();
    assertThat(evaluation.out()).containsPattern("test error of the best classifier, \\S+: \\S+ % \\(chosen on 144 training");
    assertThat(evaluation.err()).doesNotContain("optimistic");
    // The run measured the output layer alone on the same images, which is the shortest of the means.
    JsonNode chosen = evaluate(validated, "--classifier", "average", "--json").lastEvent().get("classifier");
    assertThat(chosen.get("validation_images").asInt()).isEqualTo(144);
    double ofOutput = epoch.get("validation_error").asDouble();
    if (chosen.get("layers").size() == 1) {
      assertThat(chosen.get("validation_error").asDouble()).isEqualTo(ofOutput);
    } else {
      assertThat(chosen.get("validation_error").asDouble()).isLessThan(ofOutput);
    }
    CommandLineRunner other = evaluate(validated, "--classifier", "best", "--validation", 0.2);
    assertThat(other.exitCode()).isEqualTo(2);
    assertThat(other.err()).contains("--validation 0.2: the run held out 0.1 of its training images; leave the option out");
  }

  @Test
  void imagesStopWhereTheyAreCertain() {
    JsonNode evaluation = json("--exit-confidence", 0.85);
    List<double[][]> classifiers = probabilities(test.pixels(0, test.count()), test.count());
    JsonNode curve = evaluation.get("early_exits");
    assertThat(curve.get("layers")).map(JsonNode::asText).containsExactly("layers.0", "layers.1", "layers.2", "layer_out");
    // Operations of 64 → 24 → 24 → 24 → 10 units, and of three classifiers of 24 → 10.
    long[] until = {2 * (64 * 24 + 240), 2 * (64 * 24 + 24 * 24 + 480), 2 * (64 * 24 + 2 * 24 * 24 + 720),
        2 * (64 * 24 + 2 * 24 * 24 + 960)};
    assertThat(curve.get("network_flops").asLong()).isEqualTo(2 * (64 * 24 + 2 * 24 * 24 + 240));
    List<Double> confidences = new ArrayList<>();
    for (JsonNode point : curve.get("points")) {
      double confidence = point.get("confidence").asDouble();
      confidences.add(confidence);
      int[] stopped = new int[4];
      int wrong = 0;
      long flops = 0;
      for (int i = 0; i < test.count(); i++) {
        int layer = 0;
        while (layer < 3 && Arrays.stream(classifiers.get(layer)[i]).max().getAsDouble() < confidence) {
          layer++;
        }
        stopped[layer]++;
        flops += until[layer];
        wrong += largest(classifiers.get(layer)[i]) == test.labels()[i] ? 0 : 1;
      }
      assertThat(point.get("error").asDouble()).isEqualTo(100.0 * wrong / test.count());
      assertThat(point.get("mean_flops").asDouble()).isEqualTo((double) flops / test.count());
      for (int layer = 0; layer < 4; layer++) {
        assertThat(point.get("stopped").get(layer).asDouble()).isEqualTo((double) stopped[layer] / test.count());
      }
      if (confidence == 0.85) {
        assertThat(evaluation.get("early_exit")).isEqualTo(point);
      }
    }
    assertThat(confidences).containsExactly(0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.99, 1.0);
    assertThat(json().get("early_exits").get("points")).hasSize(8);
    assertThat(evaluate(run, "--exit-confidence", 0.85).out())
        .containsPattern("early exits at a confidence of 0.85: \\S+ %, with 0.00\\d\\d MFLOP per image")
        .containsPattern("  layers.1 +\\d+\\.\\d\\d % of the images stop\n");
  }

  @Test
  void predictStopsWhereEvaluateDoes() throws IOException {
    JsonNode point = json("--exit-confidence", 0.85).get("early_exit");
    Path images = DigitImages.write(folder.resolve("images"), test.count());
    CommandLineRunner predictions =
        CommandLineRunner.run(
            "predict", run, images, "--threads", 1, "--exit-confidence", 0.85, "--json", "--batch-size", test.count());
    assertThat(predictions.exitCode()).as(predictions.err()).isZero();
    double[] shares = new double[4];
    List<String> names = model.layers().stream().map(Layer::name).toList();
    predictions.events().forEach(event -> shares[names.indexOf(event.get("layer").asText())] += 1.0 / test.count());
    for (int layer = 0; layer < 4; layer++) {
      assertThat(shares[layer]).isCloseTo(point.get("stopped").get(layer).asDouble(), within(1e-12));
      assertThat(predictions.err()).containsPattern("images stopped: .*\\b\\d+ at " + names.get(layer));
    }
    Path first = images.resolve(predictions.events().get(0).get("image").asText());
    CommandLineRunner csv = CommandLineRunner.run("predict", run, first, "--exit-confidence", 0, "--csv");
    assertThat(csv.out().lines().toList().get(0)).isEqualTo("image,rank,class,probability,layer");
    assertThat(csv.out().lines().toList().get(1)).endsWith(",layers.0");
    assertThat(CommandLineRunner.run("predict", run, first, "--exit-confidence", 0).out().strip()).endsWith("% (layers.0)");
  }

  @Test
  void anImagesAnswerHasTheBitsOfItsLayer() {
    List<Model.Answer> answers = model.classify(test.pixels(0, test.count()), test.count(), 0.7);
    assertThat(answers).hasSize(test.count());
    for (Layer layer : model.layers()) {
      float[][] outputs = model.classify(test.pixels(0, test.count()), test.count(), layer.name());
      assertThat(IntStream.range(0, test.count()).filter(i -> answers.get(i).layer().equals(layer))).isNotEmpty()
          .allSatisfy(i -> assertThat(answers.get(i).outputs()).isEqualTo(outputs[i]));
    }
  }

  @Test
  void theLibraryAveragesLayers() {
    List<double[][]> two = probabilities(test.pixels(0, test.count()), test.count()).subList(1, 3);
    double[][] means = model.probabilities(test.pixels(0, test.count()), test.count(), List.of("3", "layers.1"));
    for (int i = 0; i < test.count(); i++) {
      double[] sum = sum(two, i);
      for (int c = 0; c < 10; c++) {
        assertThat(means[i][c]).isCloseTo(sum[c] / 2, within(1e-15)); // three roundings of a double below 1
      }
    }
    assertThatThrownBy(() -> model.probabilities(test.pixels(0, test.count()), test.count(), List.of()))
        .hasMessage("a mean of probabilities needs at least one layer");
    assertThatThrownBy(() -> model.classify(test.pixels(0, test.count()), test.count(), Double.NaN))
        .hasMessage("a confidence must be from 0 to 1, not NaN");
  }

  @ParameterizedTest
  @ValueSource(strings = {"mirror", "multi-crop"})
  void viewsAreAveraged(String kind) {
    JsonNode evaluation = json("--tta", kind);
    List<double[][]> views = new ArrayList<>();
    int[] shifts = kind.equals("mirror") ? new int[] {0} : new int[] {0, -2, 2};
    for (boolean mirrored : new boolean[] {false, true}) {
      for (int down : shifts) {
        for (int right : shifts) {
          if ((down == 0) == (right == 0)) {
            views.add(probabilities(moved(down, right, mirrored), test.count()).get(3));
          }
        }
      }
    }
    assertThat(evaluation.get("tta").get("kind").asText()).isEqualTo(kind);
    assertThat(evaluation.get("tta").get("views").asInt()).isEqualTo(views.size());
    assertThat(evaluation.get("tta").get("test_error").asDouble()).isEqualTo(error(views, test.labels()));
    assertThat(evaluation.get("test_error")).isEqualTo(json().get("test_error"));
    CommandLineRunner text = evaluate(run, "--tta", kind);
    assertThat(text.out()).contains("test error with test-time augmentation (" + kind + ", " + views.size() + " views): ");
    assertThat(text.err()).contains(
        "is usually trained without " + (kind.equals("mirror") ? "mirrored" : "mirrored or moved") + " images");
  }

  private static byte[] moved(int down, int right, boolean mirrored) {
    byte[] moved = new byte[test.count() * 64];
    for (int i = 0; i < test.count(); i++) {
      for (int y = Math.max(0, down); y < Math.min(8, 8 + down); y++) {
        for (int x = Math.max(0, right); x < Math.min(8, 8 + right); x++) {
          moved[i * 64 + y * 8 + (mirrored ? 7 - x : x)] = test.pixels().get(i * 64 + (y - down) * 8 + x - right);
        }
      }
    }
    return moved;
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "--classifier worst | --classifier: unknown value 'worst'; choose from output, best, average",
    "--classifier best | --classifier best needs --validation, such as 0.1",
    "--validation 0.1 | --validation goes with --classifier best or average, or --calibrate",
    "--calibrate | --calibrate needs --validation, such as 0.1",
    "--classifier best --validation 1 | --validation must be above 0 and below 1, not 1.0",
    "--exit-confidence 1.5 | --exit-confidence must be",
    "--exit-confidence NaN | --exit-confidence must be",
    "--confusion matrix.txt | --confusion writes a file that ends in .csv or .png, not matrix.txt",
    "--tta flip | --tta: unknown value 'flip'; choose from none, mirror, multi-crop",
  })
  void wrongOptionsAreUsageErrors(String options, String message) {
    CommandLineRunner refused = evaluate(run, (Object[]) options.split(" "));
    assertThat(refused.exitCode()).isEqualTo(2);
    assertThat(refused.err()).contains(message).doesNotContain("\tat ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"--loss sim", "--loss pred --bio", "--backprop"})
  void networksWithoutLocalClassifiersSaySo(String loss) {
    List<String> options = new ArrayList<>(List.of("--epochs", "1", "--num-layers", "1", "--num-hidden", "8"));
    options.addAll(List.of(loss.split(" ")));
    Path other = train("without" + loss.replace(' ', '-'), options.toArray(new String[0]));
    for (String option : List.of("--exit-confidence 0.9", "--classifier best --validation 0.1")) {
      CommandLineRunner refused = evaluate(other, (Object[]) option.split(" "));
      assertThat(refused.exitCode()).isEqualTo(1);
      assertThat(refused.err()).contains(" needs local classifiers, which " + other + " does not have");
    }
    try (Model without = Model.open(other)) {
      assertThatThrownBy(() -> without.classify(new byte[64], 1, 0.9)).hasMessageContaining("has no local classifiers");
    }
    JsonNode plain = evaluate(other, "--json", "--tta", "mirror").lastEvent();
    assertThat(plain.has("early_exits")).isFalse();
    assertThat(plain.get("tta").get("test_error").isNumber()).isTrue();
    assertThat(plain.has("top5_error")).isTrue();
  }
}
