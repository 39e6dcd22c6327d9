package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import dev.layerwise.TestImageFolder;
import dev.layerwise.api.Layer;
import dev.layerwise.api.Model;
import dev.layerwise.data.DataSets;
import dev.layerwise.data.ImageSet;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The file of {@code evaluate --csv} has the predictions whose error is printed. */
class PredictionsFileTest {
  private static final String HEAD = "label,class,predicted_label,predicted_class,probability,";

  @TempDir private static Path folder;
  private static Path run;
  private static ImageSet test;

  @BeforeAll
  static void train() {
    run = folder.resolve("run");
    CommandLineRunner.succeed(
        "train --threads 1 --loss pred --lr 2e-3 --batch-size 32 --epochs 3 --num-hidden 24 --out " + run);
    test = (ImageSet) DataSets.load("digits", null).test();
  }

  private static List<String[]> rows(Path file) throws IOException {
    return Files.readAllLines(file).stream().skip(1).map(line -> line.split(",")).toList();
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', nullValues = "-", value = {
    "-                                     | -",
    "--classifier best --validation 0.2    | classifier",
    "--classifier average --validation 0.2 | classifier",
    "--tta mirror                          | tta",
    "--exit-confidence 0.8                 | early_exit",
  })
  void hasThePredictionsOfWhatIsPrinted(String options, String field) throws IOException {
    Path file = folder.resolve("predictions.csv");
    JsonNode result =
        CommandLineRunner.succeed(
            "evaluate " + run + " --threads 1 --json --csv " + file + (options == null ? "" : " " + options)).lastEvent();
    double error =
        field == null ? result.get("test_error").asDouble()
            : result.get(field).get(field.equals("early_exit") ? "error" : "test_error").asDouble();
    assertThat(Files.readAllLines(file).get(0)).isEqualTo("image," + HEAD + "0,1,2,3,4,5,6,7,8,9");
    List<String[]> rows = rows(file);
    assertThat(rows).hasSize(test.count());
    int wrong = 0;
    for (int i = 0; i < rows.size(); i++) {
      String[] row = rows.get(i);
      assertThat(row).hasSize(16);
      assertThat(row[0]).isEqualTo(Integer.toString(i));
      assertThat(row[1]).isEqualTo(Integer.toString(test.labels()[i])).isEqualTo(row[2]);
      assertThat(row[3]).isEqualTo(row[4]);
      assertThat(row[5]).isEqualTo(row[6 + Integer.parseInt(row[3])]);
      double[] probabilities = IntStream.range(6, 16).mapToDouble(column -> Double.parseDouble(row[column])).toArray();
      assertThat(IntStream.range(0, 10).mapToDouble(c -> probabilities[c]).sum()).isCloseTo(1, within(1e-5));
      assertThat(Double.parseDouble(row[5])).isEqualTo(Arrays.stream(probabilities).max().getAsDouble());
      wrong += row[1].equals(row[3]) ? 0 : 1;
    }
    assertThat(100.0 * wrong / rows.size()).isEqualTo(error);
  }

  @Test
  void hasTheProbabilitiesThatTheLibraryGives() throws IOException {
    Path file = folder.resolve("all.csv");
    CommandLineRunner.succeed("evaluate " + run + " --threads 1 --batch-size 1000 --csv " + file);
    try (Model model = Model.open(run, Model.Options.of("cpu", 1, 1))) {
      Layer output = model.layers().get(model.layers().size() - 1);
      float[][] outputs = model.classify(test.pixels(0, test.count()), test.count(), output.name());
      List<String[]> rows = rows(file);
      for (int i = 0; i < rows.size(); i++) {
        double[] probabilities = Model.softmax(outputs[i]);
        for (int c = 0; c < 10; c++) {
          assertThat(Float.parseFloat(rows.get(i)[6 + c])).isEqualTo((float) probabilities[c]);
        }
      }
    }
  }

  @Test
  void namesTheFilesOfAFolderAndQuotesClasses() throws IOException {
    Path images = TestImageFolder.redAndBlue(folder.resolve("images"));
    for (String part : List.of("train", "val")) {
      Files.move(images.resolve(part).resolve("red"), images.resolve(part).resolve("red, \"dark\""));
    }
    Path of = folder.resolve("of-folder");
    String data = " --dataset image-folder --image-size 16 --threads 1 --data-dir " + images;
    CommandLineRunner.succeed("train --model mlp --num-hidden 8 --epochs 1 --batch-size 16 --out " + of + data);
    Path file = folder.resolve("files.csv");
    int count =
        CommandLineRunner.succeed("evaluate " + of + " --json --batch-size 5 --csv " + file + data).lastEvent()
            .get("images").asInt();
    List<String> lines = Files.readAllLines(file);
    assertThat(lines.get(0)).isEqualTo("image,file," + HEAD + "blue,\"red, \"\"dark\"\"\"");
    assertThat(lines).hasSize(1 + count);
    for (String line : lines.subList(1, lines.size())) {
      String path = line.replaceAll("^\\d+,(?:\"(.*?\\.png)\"|(.*?\\.png)),.*", "$1$2").replace("\"\"", "\"");
      assertThat(Path.of(path)).exists();
      boolean red = path.contains("red, \"dark\"");
      assertThat(line).contains(red ? ",1,\"red, \"\"dark\"\"\"," : ",0,blue,");
    }
  }

  @Test
  void calibratedProbabilitiesAreThoseOfTheTemperature() throws IOException {
    Path validated = folder.resolve("validated");
    CommandLineRunner.succeed(
        "train --threads 1 --lr 3e-3 --batch-size 32 --epochs 8 --num-hidden 64 --validation 0.3 --out " + validated);
    Path file = folder.resolve("calibrated.csv");
    String evaluate = "evaluate " + validated + " --threads 1 --calibrate";
    JsonNode result = CommandLineRunner.succeed(evaluate + " --json --csv " + file).lastEvent();
    JsonNode calibration = result.get("calibration");
    assertThat(calibration.get("validation_images").asInt()).isEqualTo(431);
    double before = calibration.get("before").get("negative_log_likelihood").asDouble();
    double after = calibration.get("after").get("negative_log_likelihood").asDouble();
    assertThat(before).isCloseTo(result.get("test_loss").asDouble(), within(1e-4));
    List<String[]> rows = rows(file);
    double loss = 0;
    double[] sure = new double[15];
    for (String[] row : rows) {
      loss -= Math.log(Double.parseDouble(row[6 + Integer.parseInt(row[1])])) / rows.size();
      double probability = Double.parseDouble(row[5]);
      sure[(int) Math.ceil(15 * probability) - 1] += probability - (row[1].equals(row[3]) ? 1 : 0);
    }
    assertThat(loss).isCloseTo(after, within(1e-5));
    assertThat(100 * Arrays.stream(sure).map(Math::abs).sum() / rows.size())
        .isCloseTo(calibration.get("after").get("expected_calibration_error").asDouble(), within(1e-3));
    double temperature = calibration.get("temperature").asDouble();
    assertThat(temperature).isNotCloseTo(1, within(0.01));
    assertThat(CommandLineRunner.succeed(evaluate).out())
        .contains(String.format("temperature %.4f (fitted to 431 training images)", temperature))
        .containsPattern("  after +negative log-likelihood \\d\\.\\d{4}  expected calibration error \\S+ %");

    Path images = DigitImages.write(folder.resolve("digits"), 5);
    List<JsonNode> predictions =
        CommandLineRunner.succeed(
            "predict " + validated + " " + images + " --threads 1 --json --temperature " + temperature).events();
    for (int i = 0; i < 5; i++) {
      assertThat(predictions.get(i).get("predictions").get(0).get("probability").asDouble())
          .isCloseTo(Double.parseDouble(rows.get(i)[5]), within(1e-2)); // another batch size rounds differently in bf16
    }
    assertThat(CommandLineRunner.line("predict " + validated + " " + images + " --temperature 2 --layer 1").err())
        .contains("--temperature is the output layer's");
  }

  @Test
  void aFileThatCannotBeWrittenIsSaid() {
    CommandLineRunner failed = CommandLineRunner.run("evaluate", run, "--csv", folder.resolve("none/predictions.csv"));
    assertThat(failed.exitCode()).isEqualTo(1);
    assertThat(failed.err()).contains("Cannot write ", "none/predictions.csv").doesNotContain("\tat ");
  }

  @ParameterizedTest
  @ValueSource(strings = {"--csv -", "--csv x.csv --tta mirror --exit-confidence 0.5"})
  void wrongOptionsAreUsageErrors(String options) {
    CommandLineRunner refused = CommandLineRunner.line("evaluate " + run + " " + options);
    assertThat(refused.exitCode()).isEqualTo(2);
    assertThat(refused.err()).contains("--csv writes ");
  }
}
