package dev.layerwise.cli;

import dev.layerwise.model.LayerSpec;
import dev.layerwise.model.ModelException;
import dev.layerwise.model.Networks;
import dev.layerwise.model.StageCuts;
import dev.layerwise.nativelib.NativeCommunicator;
import dev.layerwise.run.RunConfig;
import dev.layerwise.train.Communicator;
import dev.layerwise.train.LayerTimes;
import dev.layerwise.train.ProcessGroup;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Option;

/** How several processes, which a launcher of MPI starts, divide the work of training. */
final class ProcessOptions {
  private static final String DATA = "data";
  private static final String LAYERS = "layers";
  private static final List<String> PARALLEL = List.of(DATA, LAYERS);

  @Option(
      names = "--parallel",
      paramLabel = "NAME",
      completionCandidates = ParallelNames.class,
      description = "What processes divide: data, if each trains the whole network on a slice of every batch, or layers, if"
          + " each trains consecutive layers and passes their output on, with the bits of one process. Needs mpirun or srun."
          + " Default: data; a resumed run keeps its choice.")
  String parallel;

  @Option(
      names = "--stages",
      paramLabel = "N|LAYERS",
      description = "With --parallel layers: how many stages there are, or which layers each has, such as 0-2,3-. More"
          + " processes than stages share each stage's batches. Default: a stage for each process, divided by timing ten"
          + " steps; a resumed run keeps its stages if it has as many processes.")
  String stages;

  @Option(
      names = "--statistics",
      paramLabel = "NAME",
      completionCandidates = StatisticsNames.class,
      description = "Global, if batch norm and the similarity loss see the whole batch, as in one"
          + " process, or local, if each process's own images. Local is faster, but another method. Default: global; a"
          + " resumed run keeps its choice.")
  String statistics;

  @Option(
      names = "--reduce",
      paramLabel = "NAME",
      completionCandidates = ReduceNames.class,
      description = "How gradients are added: ordered, which gives the same bits in every run, or"
          + " engine, as MPI does it. Default: ordered; a resumed run keeps its choice.")
  String reduce;

  /** Candidates for completion and help. */
  static final class ParallelNames extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    ParallelNames() {
      super(PARALLEL);
    }
  }

  /** Candidates for completion and help. */
  static final class StatisticsNames extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    StatisticsNames() {
      super(RunConfig.STATISTICS);
    }
  }

  /** Candidates for completion and help. */
  static final class ReduceNames extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    ReduceNames() {
      super(RunConfig.REDUCE);
    }
  }

  /**
   * The processes as these options divide the work among them.
   *
   * @param config the run's, which must not be connected where layers are divided
   * @param recorded of a resumed run; or {@code null}
   * @param err where the first process says how layers are divided
   */
  Communicator divide(Communicator processes, RunConfig config, RunConfig recorded, PrintWriter err) {
    Checks.oneOf("--parallel", parallel, PARALLEL);
    requireSeveral(processes);
    boolean wasPipeline = recorded != null && recorded.stages() != null;
    boolean layers = parallel == null ? wasPipeline : parallel.equals(LAYERS);
    Checks.usage(layers || stages == null, "--stages goes with --parallel layers");
    if (!layers || !(processes instanceof ProcessGroup group)) {
      return processes;
    }
    Checks.usage(
        !config.model().losses().areConnected(),
        "--parallel layers needs blocks that learn by themselves; with --backprop or --no-detach gradients travel back"
            + " through all layers: use --parallel data");
    Checks.usage(
        !config.model().losses().grouped(),
        "--parallel layers needs blocks that each learn from a loss of their own; with --blocks-per-loss use --parallel data");
    return group.inStages(cuts(group, config, wasPipeline ? recorded : null, err));
  }

  private void requireSeveral(Communicator processes) {
    if (parallel == null || processes instanceof ProcessGroup) {
      return;
    }
    NativeCommunicator.mpi(); // says what to install
    Checks.usage(
        false,
        "--parallel needs several processes; start them with: mpirun -n 2 --bind-to none layerwise train --parallel " + parallel
            + " ...");
  }

  /** @param recorded of a resumed pipeline; or {@code null} */
  private StageCuts cuts(ProcessGroup group, RunConfig config, RunConfig recorded, PrintWriter err) {
    List<LayerSpec> layers = Networks.layers(config.model());
    int processes = group.slice().size();
    StageCuts cuts;
    String origin;
    try {
      boolean isNumber = stages != null && stages.matches("\\d{1,6}");
      int wanted = isNumber ? Integer.parseInt(stages) : processes;
      if (stages != null && !isNumber) {
        cuts = StageCuts.parse(stages, layers);
        origin = "";
      } else if (stages == null && recorded != null && processes(recorded, layers) == processes) {
        cuts = StageCuts.parse(recorded.stages(), layers);
        origin = ", as before";
      } else {
        requireDivides(wanted, processes);
        String timed = group.gather(group.isFirst() ? timed(config, layers, wanted, processes) : null, String.class).get(0);
        String[] parts = timed.split(" ");
        cuts = StageCuts.parse(parts[0], layers);
        origin = ", by timing: the slowest takes " + parts[1] + " % of a step";
      }
    } catch (ModelException e) {
      throw new Checks.UsageException(e.getMessage());
    }
    requireDivides(cuts.stages(), processes);
    if (group.isFirst()) {
      err.printf("layerwise: %d stages of layers: %s%s%n", cuts.stages(), cuts, origin);
      err.flush();
    }
    return cuts;
  }

  /** How many processes have trained a pipeline. */
  private static int processes(RunConfig recorded, List<LayerSpec> layers) {
    return StageCuts.parse(recorded.stages(), layers).stages() * Checks.or(recorded.processes(), 1);
  }

  private static void requireDivides(int stages, int processes) {
    Checks.usage(
        stages > 0 && processes % stages == 0,
        processes + " processes do not make " + stages + " stages of equal size; start a multiple of " + stages
            + " processes, or give other --stages");
  }

  /** The fastest division, and what part of a step its slowest stage takes, in percent. */
  private static String timed(RunConfig config, List<LayerSpec> layers, int stages, int processes) {
    int batch = Math.max(1, config.training().batches().batchSize() * stages / processes);
    double[] seconds = LayerTimes.measure(config, batch);
    StageCuts cuts = StageCuts.balanced(layers, seconds, stages);
    return String.format(Locale.ROOT, "%s %.0f", cuts, 100 * cuts.slowestShare(seconds));
  }

  /** The configuration with what these options say, for processes so divided. */
  RunConfig over(RunConfig base, Communicator processes) {
    Checks.oneOf("--statistics", statistics, RunConfig.STATISTICS);
    Checks.oneOf("--reduce", reduce, RunConfig.REDUCE);
    RunConfig config =
        base.by(processes.slice().size()).inStages(processes.stageCuts()).exchanging(statistics, reduce);
    boolean alone = config.processes() == null;
    Checks.usage(
        !alone || config.statistics() == null,
        "local statistics need several processes with the same layers; start them with mpirun, or take --statistics global"
            + " for a new run");
    Checks.usage(
        !alone || reduce == null || config.reduce() == null,
        "--reduce engine needs several processes with the same layers");
    return config;
  }
}
