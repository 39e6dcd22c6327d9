package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.TestImageFolder;
import dev.layerwise.data.DataSet;
import dev.layerwise.data.DataSets;
import dev.layerwise.data.ImageSet;
import dev.layerwise.data.ValidationSplit;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.run.Checkpoint;
import dev.layerwise.run.EpochReport;
import dev.layerwise.run.RecordedRun;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.RunDirectory;
import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.train.SessionSettings;
import dev.layerwise.train.SingleProcess;
import dev.layerwise.train.TrainingRun;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Training images that are held out: {@code --validation}. */
class ValidationTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String SMALL = "--num-layers 1 --num-hidden 16 --threads 1 --validation 0.1 ";

  @TempDir private Path folder;

  private CommandLineRunner train(String run, String options) {
    return CommandLineRunner.line("train --out " + folder.resolve(run) + " " + options);
  }

  /** Some of the images, in the order of their numbers. */
  private static ImageSet chosen(ImageSet images, int[] numbers) {
    ByteArrayOutputStream pixels = new ByteArrayOutputStream();
    IntStream.of(numbers).forEach(number -> pixels.writeBytes(images.pixels(number)));
    int[] labels = IntStream.of(numbers).map(number -> images.labels()[number]).toArray();
    return new ImageSet(
        pixels.toByteArray(), labels, images.channels(), images.height(), images.width(), images.classes());
  }

  private List<EpochReport> train(RunConfig config, DataSet<?> data, Path run) {
    List<EpochReport> epochs = new ArrayList<>();
    try (NativeContext context = NativeContext.create(config.device(), config.training().seed());
        RunDirectory directory = RunDirectory.open(run);
        TrainingRun training = TrainingRun.start(context, config, data, directory, new SingleProcess())) {
      training.run(SessionSettings.DEFAULT, epochs::add);
    }
    return epochs;
  }

  @Test
  void imagesHeldOutAreMeasuredAndNeverTrainedOn() {
    CommandLineRunner run = train("a", SMALL + "--epochs 2");
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.err()).contains("(1293 training, 144 validation and 360 test images)");
    assertThat(run.out())
        .containsPattern("epoch 2/2 .* error \\d+\\.\\d+ %  validation loss \\S+ error \\S+ %  test loss ")
        .containsPattern("done: validation error \\S+ %, test error \\S+ % after 2 epochs")
        .contains("best epoch by validation error: 2, with validation error ");
    RunConfig config = RecordedRun.read(folder.resolve("a")).config();
    DataSet<?> digits = DataSets.load("digits", null);
    ImageSet train = (ImageSet) digits.train();
    ValidationSplit split = config.training().split(train);

    byte[] darkened = train.pixels(0, train.count());
    int bytes = darkened.length / train.count();
    IntStream.of(split.heldOut())
        .forEach(image -> Arrays.fill(darkened, image * bytes, (image + 1) * bytes, (byte) 0));
    ImageSet dark =
        new ImageSet(darkened, train.labels(), train.channels(), train.height(), train.width(), train.classes());
    List<EpochReport> epochs =
        train(config, new DataSet<>(digits.info(), dark, chosen(dark, split.heldOut())), folder.resolve("dark"));
    assertThat(lastWeights("dark")).usingRecursiveComparison().isEqualTo(lastWeights("a"));
    assertThat(epochs).hasSize(2).allSatisfy(
        epoch -> {
          assertThat(epoch.validationError()).isGreaterThan(80).isEqualTo(epoch.testError()); // all look alike: chance
          assertThat(epoch.validationLoss()).isEqualTo(epoch.testLoss());
        });
  }

  private Map<String, HostTensor> lastWeights(String run) {
    Map<String, HostTensor> weights = new TreeMap<>();
    try (Checkpoint checkpoint = Checkpoint.read(folder.resolve(run))) {
      checkpoint.weights().forEach((name, tensor) -> weights.put(name, HostTensor.copyOf(tensor)));
    }
    return weights;
  }

  @Test
  void imagesHeldOutOfAFolderAreSeenAsTestImagesAre() throws IOException {
    Path images = TestImageFolder.redAndBlue(folder.resolve("images"));
    String options =
        " --dataset image-folder --image-size 16 --model mlp --num-hidden 8 --batch-size 8 --threads 1 --epochs 2"
            + " --validation 0.25 --data-dir ";
    CommandLineRunner run = train("a", options + images);
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.err()).contains("(37 training, 12 validation and 48 test images)");

    // The same training images, and as test images those that were held out.
    int[] labels = IntStream.range(0, 49).map(image -> image < 24 ? 0 : 1).toArray();
    List<Path> files = new ArrayList<>();
    for (String color : List.of("blue", "red")) {
      try (Stream<Path> found = Files.list(images.resolve("train").resolve(color))) {
        found.sorted().forEach(files::add);
      }
      try (Stream<Path> found = Files.list(images.resolve("val").resolve(color))) {
        for (Path old : found.toList()) {
          Files.delete(old);
        }
      }
    }
    for (int image : ValidationSplit.of(labels, 2, 0.25, 1).heldOut()) {
      Files.copy(files.get(image), images.resolve("val").resolve(images.resolve("train").relativize(files.get(image))));
    }
    CommandLineRunner again = train("b", options + images + " --json");
    assertThat(again.exitCode()).as(again.err()).isZero();
    for (JsonNode epoch : again.events().subList(0, 2)) {
      assertThat(epoch.get("validation_loss")).isNotNull().isEqualTo(epoch.get("test_loss"));
      assertThat(epoch.get("validation_error")).isEqualTo(epoch.get("test_error"));
    }
    assertThat(folder.resolve("b/model.safetensors")).hasSameBinaryContentAs(folder.resolve("a/model.safetensors"));
  }

  @Test
  void patienceLooksAtTheValidationErrorAndAStopChangesNothing() throws IOException {
    CommandLineRunner run = train("a", SMALL + "--epochs 60 --patience 2 --lr 5e-3 --json");
    assertThat(run.exitCode()).as(run.err()).isZero();
    List<JsonNode> epochs = run.events().subList(0, run.events().size() - 1);
    int best = best(epochs, "validation_error");
    assertThat(epochs).hasSizeLessThan(60).hasSize(best + 1 + 2);
    JsonNode done = run.lastEvent();
    assertThat(done.get("ended_by").asText()).isEqualTo("patience");
    assertThat(done.get("validation_error")).isEqualTo(epochs.get(best + 2).get("validation_error"));
    assertThat(done.get("best_epoch").asInt()).isEqualTo(best + 1);
    assertThat(done.get("best_epoch_validation_error")).isEqualTo(epochs.get(best).get("validation_error"));
    assertThat(done.get("best_epoch_test_error")).isEqualTo(epochs.get(best).get("test_error"));
    assertThat(run.err())
        .contains("ended by --patience: the validation error has not improved since epoch " + (best + 1) + ", which had ");

    assertThat(train("b", SMALL + "--epochs " + (best + 2) + " --patience 2 --lr 5e-3").exitCode()).isZero();
    CommandLineRunner resumed = train("b", "--resume --epochs 60 --json");
    assertThat(resumed.events()).as("one epoch and the end").hasSize(2);
    assertThat(resumed.lastEvent().get("best_epoch")).isEqualTo(done.get("best_epoch"));
    assertThat(folder.resolve("b/model.safetensors")).hasSameBinaryContentAs(folder.resolve("a/model.safetensors"));

    assertThat(done.get("model_epoch").asInt()).isEqualTo(best + 1);
    assertThat(run.err()).contains("the model of epoch " + (best + 1) + " is in ");
    assertThat(testError("a")).isEqualTo(epochs.get(best).get("test_error"));

    CommandLineRunner changed = train("a", "--resume --validation 0.2");
    assertThat(changed.exitCode()).isEqualTo(2);
    assertThat(changed.err()).contains("would change validation from 0.1 to 0.2");
  }

  private JsonNode testError(String run) {
    CommandLineRunner evaluation = CommandLineRunner.line("evaluate " + folder.resolve(run) + " --json");
    assertThat(evaluation.exitCode()).as(evaluation.err()).isZero();
    return evaluation.lastEvent().get("test_error");
  }

  @ParameterizedTest
  @ValueSource(strings = {"--patience 2", "--validation 0.1", "--validation 0.1 --ema-decay 0.9", ""})
  void theModelIsThatOfTheBestEpochIfOneIsChosen(String how) {
    String options = "--num-layers 1 --num-hidden 16 --threads 1 --lr 5e-2 --dropout 0.5 " + how;
    CommandLineRunner run = train("a", options + " --epochs 12 --json");
    assertThat(run.exitCode()).as(run.err()).isZero();
    List<JsonNode> epochs = run.events().subList(0, run.events().size() - 1);
    int best = best(epochs, how.contains("validation") ? "validation_error" : "test_error");
    int model = how.isEmpty() ? epochs.size() - 1 : best;
    assertThat(run.lastEvent().get("model_epoch").asInt()).isEqualTo(model + 1);
    assertThat(testError("a")).isEqualTo(epochs.get(model).get("test_error"));
    assertThat(best).as("so that the best epoch can be told from the last").isLessThan(epochs.size() - 1);

    for (int end : new int[] {3, 8, 12}) {
      train("b", end == 3 ? options + " --epochs 3" : "--resume --epochs " + end);
    }
    assertThat(folder.resolve("b/model.safetensors")).hasSameBinaryContentAs(folder.resolve("a/model.safetensors"));
  }

  private static int best(List<JsonNode> epochs, String error) {
    return IntStream.range(0, epochs.size())
        .reduce(0, (best, i) -> epochs.get(i).get(error).asDouble() < epochs.get(best).get(error).asDouble() ? i : best);
  }

  @Test
  void patienceThatIsAskedForLaterKeepsTheBestFromThenOn() throws IOException {
    String options = "--num-layers 1 --num-hidden 16 --threads 1 --lr 5e-2 --dropout 0.5 ";
    assertThat(train("a", options + "--epochs 6").exitCode()).isZero();
    CommandLineRunner resumed = train("a", "--resume --patience 50 --epochs 10 --json");
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    int best = resumed.lastEvent().get("best_epoch").asInt();
    assertThat(best).isGreaterThan(6);
    assertThat(resumed.lastEvent().get("model_epoch").asInt()).isEqualTo(best);
    assertThat(testError("a")).isEqualTo(resumed.events().get(best - 7).get("test_error"));

    assertThat(train("b", options + "--epochs 6").exitCode()).isZero();
    CommandLineRunner over = train("b", "--resume --patience 50");
    assertThat(over.exitCode()).as(over.err()).isZero();
    assertThat(over.out()).as("no epoch was kept").doesNotContain("best epoch");
  }

  @Test
  void withoutItNothingIsSaidOfIt() throws IOException {
    CommandLineRunner run = train("a", SMALL + "--validation 0 --epochs 1 --json");
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(run.err()).contains("(1437 training and 360 test images)");
    assertThat(run.out()).doesNotContain("validation", "best");
    assertThat(JSON.readTree(folder.resolve("a/config.json").toFile()).get("training").has("validation")).isFalse();
    assertThat(folder.resolve("a/metrics.jsonl")).content().doesNotContain("validation");
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "1    | 2 | --validation must be at least 0 and below 1, not 1.0",
    "-0.1 | 2 | --validation must be at least 0 and below 1, not -0.1",
    "NaN  | 2 | --validation must be at least 0 and below 1, not NaN",
    "1e-5 | 1 | a validation fraction of 1.0E-5 of 1437 training images leaves no image to validate on; choose a larger one",
  })
  void wrongFractionsAreRefused(String fraction, int exitCode, String message) {
    CommandLineRunner run = train("a", SMALL + "--epochs 1 --validation=" + fraction);
    assertThat(run.exitCode()).isEqualTo(exitCode);
    assertThat(run.err()).contains(message).doesNotContain("\tat ");
    assertThat(folder.resolve("a/config.json")).doesNotExist();
  }
}
