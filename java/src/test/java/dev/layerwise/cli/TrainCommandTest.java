package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.run.RunDirectory;
import dev.layerwise.safetensors.SafeTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TrainCommandTest {
  @TempDir private Path folder;

  @Test
  void theDefaultRunLearnsTheDigits() throws IOException {
    Path out = folder.resolve("run");
    CommandLineRunner run = CommandLineRunner.run("train", "--json", "--out", out);
    assertThat(run.exitCode()).as(run.err()).isZero();
    List<JsonNode> events = run.events();
    assertThat(events).hasSize(31);
    JsonNode first = events.get(0);
    assertThat(first.get("event").asText()).isEqualTo("epoch");
    assertThat(first.get("epoch").asInt()).isEqualTo(1);
    assertThat(first.get("images_per_second").asDouble()).isPositive();
    assertThat(first.get("train_error").asDouble()).isGreaterThan(events.get(29).get("train_error").asDouble());
    assertThat(first.get("blocks")).hasSize(3);
    assertThat(first.get("blocks").get(0).get("similarity_loss").asDouble()).isPositive();
    assertThat(first.get("blocks").get(0).get("local_error").asDouble()).isBetween(0.0, 100.0);
    JsonNode done = run.lastEvent();
    assertThat(done.get("event").asText()).isEqualTo("done");
    assertThat(done.get("epochs").asInt()).isEqualTo(30);
    // The authors' code gives 4.7 to 5.8 % on these 360 images, whose binomial deviation is 1.1 points.
    assertThat(done.get("test_error").asDouble()).isLessThanOrEqualTo(6.5);

    assertThat(Files.readAllLines(out.resolve("metrics.jsonl"))).hasSize(30);
    JsonNode config = new ObjectMapper().readTree(out.resolve("config.json").toFile());
    assertThat(config.get("training").get("dataset").asText()).isEqualTo("digits");
    assertThat(SafeTensors.read(out.resolve("model.safetensors")).tensors())
        .containsKeys("layers.0.encoder.weight", "layers.2.linear_loss.weight", "layer_out.bias");

    CommandLineRunner evaluation = CommandLineRunner.run("evaluate", out, "--json");
    assertThat(evaluation.exitCode()).as(evaluation.err()).isZero();
    JsonNode result = evaluation.lastEvent();
    assertThat(result.get("test_error").asDouble()).isEqualTo(done.get("test_error").asDouble());
    int images = 0;
    for (JsonNode row : result.get("confusion_matrix")) {
      for (JsonNode count : row) {
        images += count.asInt();
      }
    }
    assertThat(images).isEqualTo(360);
    assertThat(result.get("layers").get(2).get("local_error").asDouble()).isLessThan(15);
  }

  @ParameterizedTest
  @ValueSource(strings = {"--loss pred", "--loss sim", "--backprop", "--optim sgd --momentum 0.9 --lr 0.05",
    "--optim amsgrad --weight-decay 1e-4", "--no-batch-norm", "--num-layers 0 --lr 0.01", "--cutout --length 3 --n_holes 2",
    "--loss-sup sim --no-similarity-std --nonlin relu", "--alpha 0.3 --loss-unsup sim",
    "--alpha 0.3 --loss-unsup recon", "--bio --target-proj-size 32", "--bio --loss pred",
    "--label-smoothing 0.1", "--mixup 0.2 --no-detach", "--cutmix 1 --backprop", "--mixup 0.2 --alpha 0.3 --loss-unsup recon",
    "--no-detach", "--device reference --num-layers 1 --num-hidden 32",
    "--classes-per-batch 8 --classes-per-batch-until-epoch 1"})
  void everyWayOfTrainingRuns(String options) {
    CommandLineRunner run = train("--epochs 2 --json " + options);
    assertThat(run.exitCode()).as(run.err()).isZero();
    // Ten classes: chance is 90 %. Two epochs are enough to be far from it.
    assertThat(run.lastEvent().get("test_error").asDouble()).as(options).isLessThan(60);
  }

  @Test
  void sameSeedSameBits() throws IOException {
    CommandLineRunner.run("train", "--epochs", 2, "--out", folder.resolve("a"));
    CommandLineRunner.run("train", "--epochs", 2, "--out", folder.resolve("b"));
    CommandLineRunner.run("train", "--epochs", 2, "--out", folder.resolve("c"), "--seed", 2);
    byte[] first = Files.readAllBytes(folder.resolve("a/model.safetensors"));
    assertThat(Files.readAllBytes(folder.resolve("b/model.safetensors"))).isEqualTo(first);
    assertThat(Files.readAllBytes(folder.resolve("c/model.safetensors"))).isNotEqualTo(first);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "--nonsense                        | Unknown option: '--nonsense'",
    "--epochs three                    | --epochs",
    "--epochs 0                        | --epochs must be in 1",
    "--backprop --loss sim             | --loss is for local losses",
    "--loss pred --beta 0.5            | --beta weighs",
    "--loss cosine                     | --loss: unknown value 'cosine'",
    "--momentum 0.9                    | --momentum is a part of sgd",
    "--flip mirrored                   | --flip: unknown value 'mirrored'; choose from random, alternating, none",
    "--crop-scale 0.5                  | --crop-scale is for images in files; those of digits are cropped as --crop-padding says",
    "--resize 32                       | --resize, --strict and --no-exif go with --dataset image-folder",
    "--length 8                        | --length goes with --cutout",
    "--mixup -0.2                      | --mixup must be in 0 … 1000, not -0.2",
    "--cutmix NaN                      | --cutmix must be in 0",
    "--mixup 0.2 --bio                 | --mixup and --cutmix make targets of two classes; those of --bio are codes of one",
    "--loss pred --no-similarity-std   | --no-similarity-std is about the similarity loss",
    "--dataset svnh                    | --dataset: unknown value 'svnh'",
    "--model vgg9                      | --model: unknown network 'vgg9'",
    "--dropout 1                       | --dropout must be",
    "--lr -1                           | --lr must be positive",
    "--lr NaN                          | --lr must be positive",
    "--batch-size 1                    | --batch-size 1",
    "--alpha 0.5                       | --alpha and --loss-unsup go together",
    "--loss-unsup recon                | --alpha and --loss-unsup go together",
    "--backprop --bio                  | are about local losses",
    "--target-proj-size 64             | --target-proj-size goes with --bio",
    "--label-smoothing 1               | --label-smoothing must be at least 0 and below 1",
    "--label-smoothing 0.1 --bio       | --label-smoothing is for targets that are classes; those of --bio are binary",
    "--feat-mult 2                     | --feat-mult scales convolutions",
    "--classes-per-batch -1            | --classes-per-batch must be in 0",
    "--classes-per-batch 65            | --classes-per-batch 65 is more than a batch holds, which is 64 images",
    "--classes-per-batch-until-epoch 2 | it goes with it",
    "--preset mnist-vgg9-sim           | --preset: unknown preset 'mnist-vgg9-sim'; see 'layerwise presets'",
    "--preset mnist-mlp-pred --beta 1  | --beta weighs",
    "--device tpu                      | there is no device 'tpu'",
    "--threads -1                      | threads must be 0",
    "--threads 100000                  | threads must be 0",
    "--engine cudnn                    | the CPU has no engine 'cudnn'",
    "--tf32                            | tf32 is a precision of CUDA devices",
    "--device reference --engine fused | it takes no precision and no engine",
  })
  void wrongUsageExitsWith2(String options, String message) {
    CommandLineRunner run = train(options);
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).contains(message).doesNotContain("\tat ");
    assertThat(run.out()).isEmpty();
    assertThat(folder.resolve("run")).doesNotExist();
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "--model vgg8b                              | vgg8b is too deep for 8×8 images",
    "--device cuda:x                            | CUDA",
    "--dataset cifar-10 --data-dir no/such/dir  | no/such/dir",
    "--resume no/such/run                       | no/such/run",
    "--lr 1e6 --optim sgd                       | training diverged in epoch 1",
  })
  void failuresAreOneSentence(String options, String message) {
    CommandLineRunner run = train(options);
    assertThat(run.exitCode()).isEqualTo(1);
    assertThat(run.err()).contains(message).doesNotContain("\tat ").doesNotContain("internal error");
    assertThat(folder.resolve("run/model.safetensors")).doesNotExist();
    assertThat(RunDirectory.holdsCheckpoint(folder.resolve("run"))).as("the corrected command is taken").isFalse();
  }

  @Test
  void imagesAreCroppedAsAsked() throws IOException {
    for (String crop : List.of("", " --crop-padding 0", " --crop 1")) {
      CommandLineRunner run =
          CommandLineRunner.line("train --epochs 1 --out " + folder.resolve("crop" + crop.length()) + crop);
      assertThat(run.exitCode()).as(run.err()).isZero();
    }
    assertThat(folder.resolve("crop9/config.json")).content().contains("\"crop_padding\" : 1");
    assertThat(folder.resolve("crop17/model.safetensors"))
        .as("digits are not cropped unless asked for")
        .hasSameBinaryContentAs(folder.resolve("crop0/model.safetensors"));
    assertThat(Files.readAllBytes(folder.resolve("crop9/model.safetensors")))
        .isNotEqualTo(Files.readAllBytes(folder.resolve("crop0/model.safetensors")));
  }

  @Test
  void verboseShowsWhere() {
    assertThat(train("--model vgg8b --verbose").err()).contains("vgg8b is too deep").contains("\tat dev.layerwise");
  }

  @Test
  void aRunIsNeverOverwritten() throws IOException {
    assertThat(train("--epochs 1").exitCode()).isZero();
    byte[] model = Files.readAllBytes(folder.resolve("run/model.safetensors"));
    CommandLineRunner again = train("--epochs 1 --seed 3");
    assertThat(again.exitCode()).isEqualTo(1);
    assertThat(again.err()).contains("already holds a run");
    assertThat(Files.readAllBytes(folder.resolve("run/model.safetensors"))).isEqualTo(model);
  }

  @Test
  void anUnwritableFolderIsSaid() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "");
    CommandLineRunner run = CommandLineRunner.run("train", "--epochs", 1, "--out", file.resolve("run"));
    assertThat(run.exitCode()).isEqualTo(1);
    assertThat(run.err()).contains("cannot write to the folder " + file.resolve("run"));
  }

  @Test
  void withoutACommandTheHelpIsShown() {
    CommandLineRunner run = CommandLineRunner.run();
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).contains("Usage: layerwise").contains("train").contains("doctor");
  }

  @Test
  void everyCommandHelps() {
    for (String command : List.of("train", "reproduce", "evaluate", "parity", "doctor")) {
      CommandLineRunner help = CommandLineRunner.run(command, "--help");
      assertThat(help.exitCode()).isZero();
      assertThat(help.out()).contains("--device", "--threads", "--json");
    }
  }

  @Test
  void doctorSaysWhatWorks() {
    CommandLineRunner run = CommandLineRunner.run("doctor", "--json");
    assertThat(run.exitCode()).as(run.err()).isZero();
    JsonNode report = run.lastEvent();
    assertThat(report.get("devices").get(0).get("works").asBoolean()).isTrue();
    assertThat(report.get("devices").get(2).get("reason").asText()).contains("cuda");
    JsonNode cuda = report.get("cuda");
    boolean known = cuda.get("problem").isNull();
    assertThat(cuda.get("libraries")).hasSize(known ? 4 : 0); // without a driver: a sentence that says so
    assertThat(cuda.get("problem").asText()).matches(known ? "null" : "CUDA cannot be asked: \\S.*");
    assertThat(cuda.get("gpus").isArray()).isTrue();
    assertThat(report.get("datasets").get(0).get("location").asText()).isEqualTo("included with the program");
    assertThat(CommandLineRunner.run("doctor", "--device", "cuda").exitCode()).isEqualTo(1);
  }

  @Test
  void doctorAsksTheDeviceForWhatIsAskedFor() {
    CommandLineRunner rounded = CommandLineRunner.run("doctor", "--device", "cpu", "--tf32");
    assertThat(rounded.exitCode()).isEqualTo(1);
    assertThat(rounded.out()).contains("does not work: tf32 is a precision of CUDA devices");
    CommandLineRunner engine = CommandLineRunner.run("doctor", "--engine", "cudnn", "--json");
    assertThat(engine.exitCode()).isZero();
    assertThat(engine.lastEvent().get("devices").get(0).get("reason").asText()).contains("no engine 'cudnn'");
    CommandLineRunner precision = CommandLineRunner.run("doctor", "--precision", "f32", "--json");
    assertThat(precision.lastEvent().get("devices").get(0).get("works").asBoolean()).isTrue();
    assertThat(precision.lastEvent().get("devices").get(1).get("reason").asText()).contains("it takes no precision");
    assertThat(CommandLineRunner.run("doctor", "--precision", "f16").exitCode()).isEqualTo(2);
  }

  private CommandLineRunner train(String options) {
    return CommandLineRunner.line("train --out " + folder.resolve("run") + " " + options);
  }
}
