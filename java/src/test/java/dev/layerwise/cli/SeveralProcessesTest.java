package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.layerwise.Json;
import dev.layerwise.TestImageFolder;
import dev.layerwise.TestTensors;
import dev.layerwise.data.SyntheticFiles;
import dev.layerwise.run.RecordedRun;
import dev.layerwise.safetensors.HostTensor;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** The command line under a real mpirun. */
class SeveralProcessesTest extends MpiJobs {
  private static Map<String, HostTensor> weights(Path run) {
    return TestTensors.ofModel(run);
  }

  @Test
  void twoProcessesTrainAsOneWithTheWholeBatch() throws Exception {
    Path one = folder.resolve("one");
    Path two = folder.resolve("two");
    List<String> options = words(List.of("train", "--device", "reference", "--validation", "0.1", "--freeze-after", "1"), SMALL, List.of("--out"));
    CommandLineRunner alone = CommandLineRunner.run(words(options, List.of(one)).toArray());
    Job together = run(words(options, List.of(two)));
    assertThat(together.exitCode()).as(together.err()).isZero();
    assertThat(withoutTimes(together.out())).isEqualTo(withoutTimes(alone.out()));
    Map<String, HostTensor> expected = weights(one);
    Map<String, HostTensor> actual = weights(two);
    assertThat(actual.keySet()).isEqualTo(expected.keySet());
    expected.forEach(
        (name, tensor) -> {
          float[] values = actual.get(name).toFloats();
          float[] of = tensor.toFloats();
          for (int i = 0; i < of.length; i++) { // files are in float32; in double the difference is some 1e-15
            assertThat(values[i]).as("%s[%d]", name, i).isBetween(Math.nextDown(of[i]), Math.nextUp(of[i]));
          }
        });
    assertThat(RecordedRun.read(two).config().processes()).isEqualTo(2);
  }

  @Test
  void imagesOnDiskAreSplitToo() throws Exception {
    // One of 49 images is broken: its batch is smaller, and the slices of that batch follow each other without it.
    Path images = TestImageFolder.redAndBlue(folder.resolve("images"));
    List<String> options =
        words(
            List.of("train", "--dataset", "image-folder", "--data-dir", images, "--image-size", 16, "--model", "mlp"),
            SMALL,
            List.of("--batch-size", 10, "--flip", "alternating", "--mixup", 0.5, "--device", "reference", "--validation", 0.2));
    CommandLineRunner alone = CommandLineRunner.run(words(options, List.of("--out", folder.resolve("one"))).toArray());
    assertThat(alone.exitCode()).as(alone.err()).isZero();
    Job together = run(words(options, List.of("--out", folder.resolve("two"))));
    assertThat(together.exitCode()).as(together.err()).isZero();
    assertThat(withoutTimes(together.out())).isEqualTo(withoutTimes(alone.out()));
  }

  @Test
  void theJobOfAKilledProcessEndsAndItsRunGoesOnToTheSameBits() throws Exception {
    List<String> options =
        words(
            List.of("train", "--threads", "1"), SMALL, List.of("--epochs", "40", "--checkpoint-every", "7steps", "--out"));
    Path whole = folder.resolve("whole");
    Job undisturbed = run(words(options, List.of(whole)));
    assertThat(undisturbed.exitCode()).as(undisturbed.err()).isZero();
    long seed = Long.getLong("layerwise.test.seed", System.nanoTime());
    System.out.println("a process is killed at the moment of -Dlayerwise.test.seed=" + seed);
    Random random = new Random(seed);
    int rank = random.nextInt(2);
    int epochs = 1 + random.nextInt(10);
    Path killed = folder.resolve("killed");
    Path log = folder.resolve("log");
    Process job = start(log, words(options, List.of(killed)));
    while (epochsOf(killed) < epochs) {
      assertThat(job.isAlive()).as(Files.readString(Path.of(log + ".err"))).isTrue();
      TimeUnit.MILLISECONDS.sleep(2);
    }
    TimeUnit.MICROSECONDS.sleep(random.nextInt(30_000));
    processOfRank(rank, job).destroyForcibly();
    Job ended = end(job, log, DEADLINE_SECONDS);
    assertThat(ended.exitCode()).isNotZero();
    assertThat(ended.err()).containsPattern("process rank " + rank + " with PID \\d+ on node \\S+ exited on signal 9");
    assertThat(RecordedRun.read(killed).progress().epoch()).isLessThan(40);
    Job resumed = run(words(List.of("train", "--resume", killed)));
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(killed.resolve("model.safetensors")).hasSameBinaryContentAs(whole.resolve("model.safetensors"));

    CommandLineRunner alone = CommandLineRunner.run("train", "--resume", killed, "--epochs", 41);
    assertThat(alone.exitCode()).as(alone.err()).isZero();
    assertThat(alone.err()).contains("goes on with one process instead of 2 processes: its results will differ");
  }

  @Test
  void aSignalToOneProcessStopsAllOfThemAfterTheSameStep() throws Exception {
    Path out = folder.resolve("run");
    Path log = folder.resolve("log");
    Process job = start(log, words(List.of("train", "--threads", "1"), SMALL, List.of("--epochs", "100000", "--out", out)));
    while (!Files.exists(out.resolve("metrics.jsonl"))) {
      assertThat(job.isAlive()).as(Files.readString(Path.of(log + ".err"))).isTrue();
      TimeUnit.MILLISECONDS.sleep(2);
    }
    processOfRank(1, job).destroy();
    Job stopped = end(job, log, DEADLINE_SECONDS);
    assertThat(stopped.exitCode()).isEqualTo(143);
    assertThat(stopped.err()).containsPattern("stopped in epoch \\d+; everything is saved");
  }

  @Test
  void otherSettingsOfOneProcessAreNamedBeforeTheFirstStep() throws Exception {
    Path out = folder.resolve("run");
    List<String> options = words(List.of("train", "--out", out), SMALL);
    Job job = run(options, words(options, List.of("--lr", "0.2")));
    assertThat(job.exitCode()).isEqualTo(1);
    assertThat(job.err()).contains(
        "layerwise: rank 1 has other settings than rank 0: lr from 0.1 to 0.2; start all processes with the same options");
    assertThat(out.resolve("config.json")).doesNotExist();
  }

  @Test
  void otherImagesOfOneProcessAreNamedBeforeTheFirstStep() throws Exception {
    Path images = TestImageFolder.redAndBlue(folder.resolve("images"));
    Path others = TestImageFolder.redAndBlue(folder.resolve("others"));
    Files.copy(others.resolve("train/red/0.png"), others.resolve("train/red/24.png"));
    List<String> options =
        words(
            List.of("train", "--dataset", "image-folder", "--image-size", 16, "--out", folder.resolve("run")), SMALL,
            List.of("--batch-size", 10, "--data-dir"));
    Job job = run(words(options, List.of(images)), words(options, List.of(others)));
    assertThat(job.exitCode()).isEqualTo(1);
    assertThat(job.err()).containsPattern(
        "layerwise: the fingerprint of the images of rank 1 is 50 training images \\w+ and 48 test images \\w+, but that"
            + " of the others is 49 training images");
    assertThat(folder.resolve("run/config.json")).doesNotExist();
  }

  @Test
  void aProcessThatFailsAloneSaysItsRankAndEndsTheJob() throws Exception {
    List<String> options = words(List.of("train", "--out", folder.resolve("run")), SMALL);
    long begun = System.nanoTime();
    Job job = run(options, words(options, List.of("--init", folder.resolve("nothing.safetensors"))));
    assertThat(job.exitCode()).isEqualTo(1);
    assertThat(job.err()).containsPattern("layerwise: rank 1 on \\S+: .*nothing\\.safetensors");
    assertThat(System.nanoTime() - begun).isLessThan(TimeUnit.SECONDS.toNanos(DEADLINE_SECONDS + 10)); // it has to start
  }

  @Test
  void localStatisticsAndTheEnginesReduceAreKeptByTheRun() throws Exception {
    Path out = folder.resolve("run");
    Job job =
        run(words(List.of("train", "--out", out, "--threads", 1, "--statistics", "local", "--reduce", "engine"), SMALL));
    assertThat(job.exitCode()).as(job.err()).isZero();
    assertThat(RecordedRun.read(out).config().statistics()).isEqualTo("local");
    assertThat(RecordedRun.read(out).config().reduce()).isEqualTo("engine");
    Job global = run(words(List.of("train", "--resume", out, "--epochs", 3, "--statistics", "global")));
    assertThat(global.exitCode()).isEqualTo(2);
    assertThat(global.err()).contains("these options would change statistics from \"local\" to none");
    CommandLineRunner alone = CommandLineRunner.run("train", "--resume", out, "--epochs", 3);
    assertThat(alone.exitCode()).isEqualTo(2);
    assertThat(alone.err()).contains("local statistics need several processes");
    Job resumed = run(words(List.of("train", "--resume", out, "--epochs", 3)));
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
  }

  @Test
  void localStatisticsAreRefusedInOneProcess() {
    CommandLineRunner alone = CommandLineRunner.run("train", "--out", folder.resolve("run"), "--statistics", "local");
    assertThat(alone.exitCode()).isEqualTo(2);
    assertThat(alone.err()).contains("local statistics need several processes with the same layers; start them with mpirun");
  }

  @Test
  void benchStepTellsWhatProcessesExchange() throws Exception {
    List<String> step =
        List.of(("bench step --model mlp --num-layers 1 --num-hidden 64 --input 1x8x8 --classes 10 --batch-size 20"
            + " --steps 3 --threads 1 --precision f32").split(" "));
    Job json = run(words(step, List.of("--json")));
    assertThat(json.exitCode()).as(json.err()).isZero();
    JsonNode result = Json.mapper().readTree(json.out().lines().reduce((first, last) -> last).orElseThrow());
    assertThat(result.get("processes").asInt()).isEqualTo(2);
    // The batch's sizes; moments and their gradients; features and labels of ten images; gradients of both blocks.
    int hidden = 64 * 64 + 3 * 64 + 64 * 10 + 10 + 64 * 64;
    int output = 64 * 10 + 10;
    int bytes = 8 + 2 * 2 * 64 * 4 + 10 * (64 + 1) * 4 + hidden * 4 + output * 4;
    assertThat(result.get("received_bytes").asDouble()).isBetween(bytes - 100.0, bytes + 1000.0); // with padding
    assertThat(result.get("exchanges").asDouble()).isEqualTo(8);
    assertThat(result.get("exchange_share").asDouble()).isBetween(1e-6, 1.0);

    Job text = run(step);
    assertThat(text.out()).containsPattern(
        "2 processes: each receives [\\d.]+ MiB in 8 exchanges per step, which take [\\d.]+% of the time");
    Job operations = run(List.of("bench", "ops"));
    assertThat(operations.exitCode()).isEqualTo(2);
    assertThat(operations.err()).contains("'layerwise bench ops' runs in one process");
  }

  @Test
  void whatOneProcessIsToDoIsRefused() throws Exception {
    Job job = run(words(List.of("presets")));
    assertThat(job.exitCode()).isEqualTo(2);
    assertThat(job.err()).contains("layerwise: 'layerwise presets' runs in one process; start it without mpirun or srun");
  }

  @Test
  void everyProcessNeedsAnImageOfEveryBatch() throws Exception {
    Job job = run(words(List.of("train", "--out", folder.resolve("run")), SMALL, List.of("--batch-size", "1436")));
    assertThat(job.exitCode()).isEqualTo(2);
    assertThat(job.err()).contains(
        "layerwise: the last batch of an epoch has 1 image, fewer than there are processes (2); choose another"
            + " --batch-size, or start fewer processes");
  }

  @Test
  void aBuildWithoutMpiSaysInOneSentenceWhatToInstall() throws Exception {
    List<String> command =
        fromCopy(
            "dev/layerwise/nativelib/linux-x86_64/liblayerwise_mpi.so", null,
            words(List.of("train", "--out", folder.resolve("run"))));
    Job job = runCommands(2, List.of(command));
    assertThat(job.exitCode()).isEqualTo(1);
    assertThat(job.out()).isEmpty();
    assertThat(said(job)).singleElement().asString().startsWith(
        "layerwise: this build cannot train in several processes: liblayerwise_mpi.so is missing; install MPI");
    assertThat(folder.resolve("run")).doesNotExist();
  }

  @Test
  void aLauncherOfAnotherMpiIsRefused() throws Exception {
    // Two processes by the variables of MPICH's launcher, of which Open MPI knows nothing.
    ProcessBuilder builder =
        new ProcessBuilder(JavaProcess.command("train", "--out", folder.resolve("run"))).redirectErrorStream(true);
    builder.environment().putAll(Map.of("PMI_RANK", "0", "PMI_SIZE", "2"));
    Process process = builder.start();
    String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).isEqualTo(1);
    assertThat(printed).startsWith(
        "layerwise: the launcher has started 2 processes, but MPI knows of 1: the launcher is not that of Open MPI");
    assertThat(folder.resolve("run")).doesNotExist();
  }

  @Test
  void anotherVersionOfOneProcessIsNamed() throws Exception {
    List<String> arguments = words(List.of("train", "--out", folder.resolve("run")), SMALL);
    Job job =
        runCommands(
            1,
            List.of(
                JavaProcess.command(arguments.toArray()),
                fromCopy("dev/layerwise/built-from.txt", "commit 0123abc", arguments)));
    assertThat(job.exitCode()).isEqualTo(1);
    assertThat(said(job)).singleElement().asString()
        .matches("layerwise: the version of rank 1 is \\S+, built from commit 0123abc, but that of the others is .*");
    assertThat(folder.resolve("run")).doesNotExist();
  }

  /** The command line of a copy of the program in which a file is missing, or has another content. */
  private List<String> fromCopy(String file, String content, List<String> arguments) throws Exception {
    Path built = Path.of(Main.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    Path copy = folder.resolve("classes");
    assertThat(new ProcessBuilder("cp", "-r", built.toString(), copy.toString()).start().waitFor()).isZero();
    Files.delete(copy.resolve(file));
    if (content != null) {
      Files.writeString(copy.resolve(file), content);
    }
    List<String> command = new ArrayList<>(JavaProcess.command(arguments.toArray()));
    command.replaceAll(word -> word.replace(built.toString(), copy.toString()));
    return command;
  }

  @Test
  void aProcessWithoutMemorySaysSoAndEndsTheJob() throws Exception {
    List<String> command =
        JavaProcess.command(
            "train", "--threads", 1, "--num-hidden", 8000, "--batch-size", 1000, "--epochs", 1, "--out",
            folder.resolve("run"));
    // The first limit is that of GNU's libraries and Java; a network of 8000 neurons in a layer needs more than it leaves.
    Job job =
        runCommands(
            1, List.of(command, words(List.of("prlimit", "--as=" + (5L << 30)), command)));
    assertThat(job.exitCode()).isEqualTo(1);
    assertThat(job.err()).containsPattern(
        "layerwise: rank 1 on \\S+: layers\\.\\d: the CPU has no room for another \\d+ bytes; use a smaller batch or a");
    assertThat(folder.resolve("run/model.safetensors")).doesNotExist();
  }

  @Test
  void aProcessThatFailsInTheMiddleOfTrainingSaysItsRank() throws Exception {
    // One machine's copy of an image is damaged, which is not seen before it is read: the sizes are the same.
    Path images = TestImageFolder.redAndBlue(folder.resolve("images"));
    Files.delete(images.resolve("train/red/broken.png"));
    Path others = folder.resolve("others");
    assertThat(new ProcessBuilder("cp", "-r", images.toString(), others.toString()).start().waitFor()).isZero();
    for (int i = 0; i < 24; i++) {
      Path damaged = others.resolve("train/red/" + i + ".png");
      Files.write(damaged, new byte[(int) Files.size(damaged)]);
    }
    List<String> options =
        words(
            List.of("train", "--dataset", "image-folder", "--image-size", 16, "--strict", "--threads", 1, "--model", "mlp"),
            List.of("--out", folder.resolve("run")),
            SMALL, List.of("--batch-size", 10, "--data-dir"));
    Job job = run(words(options, List.of(images)), words(options, List.of(others)));
    assertThat(job.exitCode()).isEqualTo(1);
    assertThat(said(job)).singleElement().asString().matches("layerwise: rank 1 on \\S+: .*others/train/red/\\d+\\.png .*");
  }

  @Test
  void evaluationsHaveTheBytesOfOneProcess() throws Exception {
    Path run = folder.resolve("run");
    assertThat(CommandLineRunner.run(words(List.of("train", "--out", run), SMALL).toArray()).exitCode()).isZero();
    List<String> evaluate =
        words(
            List.of("evaluate", run, "--json", "--save", "--batch-size", "100", "--exit-confidence", 0.8),
            List.of("--classifier", "average", "--validation", "0.2", "--tta", "mirror"));
    Path csv = folder.resolve("predictions.csv");
    String predictions = "evaluate " + run + " --batch-size 100 --threads 1 --csv " + csv;
    CommandLineRunner.succeed(predictions);
    byte[] rows = Files.readAllBytes(csv);
    Files.delete(csv);
    Job written = runCommands(3, List.of(JavaProcess.command((Object[]) predictions.split(" "))));
    assertThat(written.exitCode()).as(written.err()).isZero();
    assertThat(csv).hasBinaryContent(rows);
    CommandLineRunner alone = CommandLineRunner.run(words(evaluate, List.of("--threads", 1)).toArray());
    byte[] evaluation = Files.readAllBytes(run.resolve("evaluation.json"));
    Files.delete(run.resolve("evaluation.json"));
    // As if each process were on a machine of its own, and bound to one core.
    List<String> bound = List.of("env", "OMPI_COMM_WORLD_LOCAL_SIZE=1", "taskset", "-c", "0");
    Job together = runCommands(3, List.of(words(bound, JavaProcess.command(evaluate.toArray()))));
    assertThat(together.exitCode()).as(together.err()).isZero();
    assertThat(withoutSeconds(together.out())).isEqualTo(withoutSeconds(alone.out()));
    assertThat(run.resolve("evaluation.json")).hasBinaryContent(evaluation);
    assertThat(said(together)).anySatisfy(
        line ->
            assertThat(line)
                .startsWith("layerwise: the launcher has bound each process to one of ")
                .contains(" cores; with mpirun, add --bind-to none or --map-by slot:PE="));
    assertThat(said(together)).last().asString()
        .startsWith("layerwise: mpirun notices a lost machine or a cut network only after 8 minutes");
  }

  private static String withoutSeconds(String json) {
    return json.replaceAll("\"seconds\":[^,]*", "");
  }

  @Test
  void featuresHaveTheBytesOfOneProcess() throws Exception {
    Path images = TestImageFolder.redAndBlue(folder.resolve("images"));
    Path run = folder.resolve("run");
    List<String> data = words(List.of("--dataset", "image-folder", "--data-dir", images));
    List<String> train =
        words(
            List.of("train", "--image-size", 16, "--model", "mlp", "--out", run), data, SMALL, List.of("--batch-size", 10));
    assertThat(CommandLineRunner.run(train.toArray()).exitCode()).isZero();
    // 49 images, one of which is broken, are 3 batches for 4 processes.
    List<String> embed =
        words(List.of("embed", run, "--split", "train", "--threads", "1", "--batch-size", 20), data, List.of("--out"));
    CommandLineRunner alone = CommandLineRunner.run(words(embed, List.of(folder.resolve("one.npy"))).toArray());
    Job together =
        runCommands(4, List.of(JavaProcess.command(words(embed, List.of(folder.resolve("two.npy"))).toArray())));
    assertThat(together.exitCode()).as(together.err()).isZero();
    assertThat(together.out().replace("two", "one")).isEqualTo(alone.out());
    assertThat(folder.resolve("two.npy")).hasSameBinaryContentAs(folder.resolve("one.npy"));
    assertThat(folder.resolve("two.labels.npy")).hasSameBinaryContentAs(folder.resolve("one.labels.npy"));
    assertThat(together.err())
        .contains("broken.png").contains("layerwise: 1 image could not be read and was skipped");
  }

  @Test
  void recipesAreReproducedTogether() throws Exception {
    SyntheticFiles.writeMnist(folder.resolve("data"), 64, 20);
    List<String> options =
        words(
            List.of("reproduce", "--dataset", "mnist", "--model", "mlp", "--loss", "pred", "--seeds", 1, "--epochs-scale",
                0.01, "--threads", 1, "--data-dir", folder.resolve("data"), "--out", folder.resolve("out")));
    Job job = run(words(options));
    assertThat(job.exitCode()).as(job.err()).isZero();
    assertThat(job.out()).contains("mnist-mlp-pred").contains("threads: 1, processes: 2, ");
    assertThat(RecordedRun.read(folder.resolve("out/mnist-mlp-pred/seed-1")).config().processes()).isEqualTo(2);
    CommandLineRunner again = CommandLineRunner.run(options.toArray());
    assertThat(again.err()).contains("mnist-mlp-pred, seed 1: already finished");
  }
}
