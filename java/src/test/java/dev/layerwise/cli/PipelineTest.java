package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.run.RecordedRun;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Stages of layers: as many as there are, the run has the bits of one process. */
class PipelineTest extends MpiJobs {
  private static final List<String> NETWORK = List.of("--threads", "1", "--num-layers", "3", "--validation", "0.1", "--freeze-after", "1,1");

  private static List<String> train(Path out, String... more) {
    return words(List.of("train"), SMALL, NETWORK, List.of("--out", out), List.of(more));
  }

  private static void assertSameBits(Path run, Path expected) {
    assertThat(run.resolve("model.safetensors")).hasSameBinaryContentAs(expected.resolve("model.safetensors"));
    assertThat(run.resolve("evaluation.json")).hasSameTextualContentAs(expected.resolve("evaluation.json"));
  }

  @Test
  void stagesHaveTheBitsOfOneProcess() throws Exception {
    Path one = folder.resolve("one");
    CommandLineRunner alone = CommandLineRunner.run(train(one).toArray());
    assertThat(alone.exitCode()).as(alone.err()).isZero();

    Path timed = folder.resolve("timed");
    Job job = run(train(timed, "--parallel", "layers"));
    assertThat(job.exitCode()).as(job.err()).isZero();
    assertThat(said(job).get(0)).matches("layerwise: 2 stages of layers: [-0-3]+,[-0-3]+, by timing: the slowest takes \\d+ % of a step");
    assertThat(withoutTimes(job.out())).isEqualTo(withoutTimes(alone.out()));
    assertSameBits(timed, one);
    assertThat(RecordedRun.read(timed).config().processes()).isNull();

    Path chosen = folder.resolve("chosen");
    Job three = runCommands(3, List.of(JavaProcess.command(train(chosen, "--parallel", "layers", "--stages", "0,1-2,3-").toArray())));
    assertThat(three.exitCode()).as(three.err()).isZero();
    assertSameBits(chosen, one);
    assertThat(RecordedRun.read(chosen).config().stages()).isEqualTo("0,1-2,3");
  }

  @Test
  void moreProcessesThanStagesShareTheBatchesOfEach() throws Exception {
    Path two = folder.resolve("two");
    // Gradients are clipped to the norm of what all processes have, and the averages of all their parts are the model.
    List<String> options =
        List.of("--ema-decay", "0.9", "--clip-grad-norm", "0.01", "--lr-mult-batch-norm", "4", "--mixup", "0.4", "--cutmix", "1");
    Job data = run(words(train(two, "--parallel", "data"), options));
    assertThat(data.exitCode()).as(data.err()).isZero();
    Path four = folder.resolve("four");
    List<String> stages = words(train(four, "--parallel", "layers", "--stages", "0-1,2-"), options);
    Job both = runCommands(4, List.of(JavaProcess.command(stages.toArray())));
    assertThat(both.exitCode()).as(both.err()).isZero();
    assertThat(withoutTimes(both.out())).isEqualTo(withoutTimes(data.out()));
    assertSameBits(four, two);
    assertThat(RecordedRun.read(four).config().processes()).isEqualTo(2);
  }

  @Test
  void aStageThatIsKilledEndsTheJobAndOneProcessGoesOnToTheSameBits() throws Exception {
    Path one = folder.resolve("one");
    CommandLineRunner alone = CommandLineRunner.run(train(one, "--epochs", "30").toArray());
    assertThat(alone.exitCode()).as(alone.err()).isZero();
    Path killed = folder.resolve("killed");
    Path log = folder.resolve("log");
    Process job =
        start(log, train(killed, "--epochs", "30", "--parallel", "layers", "--stages", "0-1,2-", "--checkpoint-every", "7steps"));
    while (epochsOf(killed) < 3) {
      assertThat(job.isAlive()).as(Files.readString(Path.of(log + ".err"))).isTrue();
      TimeUnit.MILLISECONDS.sleep(2);
    }
    processOfRank(1, job).destroyForcibly();
    Job ended = end(job, log, DEADLINE_SECONDS);
    assertThat(ended.exitCode()).isNotZero();
    assertThat(RecordedRun.read(killed).progress().epoch()).isLessThan(30);
    CommandLineRunner resumed = CommandLineRunner.run("train", "--resume", killed);
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
    assertThat(resumed.err()).doesNotContain("results will differ");
    assertSameBits(killed, one);
  }

  @Test
  void everyStageBeginsWithItsPartOfGivenWeights() throws Exception {
    Path given = folder.resolve("given");
    assertThat(CommandLineRunner.run(train(given, "--epochs", "1").toArray()).exitCode()).isZero();
    Path one = folder.resolve("one");
    CommandLineRunner alone = CommandLineRunner.run(train(one, "--init", given.toString()).toArray());
    assertThat(alone.exitCode()).as(alone.err()).isZero();
    Path two = folder.resolve("two");
    Job job = run(train(two, "--init", given.toString(), "--parallel", "layers", "--stages", "0-1,2-"));
    assertThat(job.exitCode()).as(job.err()).isZero();
    assertSameBits(two, one);
  }

  @Test
  void whatCannotBeAPipelineIsRefused() throws Exception {
    Path out = folder.resolve("run");
    CommandLineRunner alone = CommandLineRunner.run(train(out, "--parallel", "layers").toArray());
    assertThat(alone.exitCode()).isEqualTo(2);
    assertThat(alone.err()).startsWith("layerwise: --parallel needs several processes; start them with: mpirun -n 2");
    assertThat(CommandLineRunner.run(train(out, "--stages", "2").toArray()).err())
        .startsWith("layerwise: --stages goes with --parallel layers");
    Job connected = run(train(out, "--parallel", "layers", "--backprop", "--freeze-after", "none"));
    assertThat(connected.exitCode()).isEqualTo(2);
    assertThat(said(connected)).hasSize(1).first().asString().contains("gradients travel back through all layers");
    assertThat(out).doesNotExist();
  }
}
