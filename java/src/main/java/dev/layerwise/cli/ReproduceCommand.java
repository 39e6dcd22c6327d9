package dev.layerwise.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.layerwise.data.DataSet;
import dev.layerwise.data.DataSets;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.recipe.Preset;
import dev.layerwise.recipe.Presets;
import dev.layerwise.recipe.Reproduction;
import dev.layerwise.run.EpochReport;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.RunDirectory;
import dev.layerwise.run.TrainingResult;
import dev.layerwise.train.Communicator;
import dev.layerwise.train.SessionSettings;
import dev.layerwise.train.TrainingSession;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains by published recipes and compares the results with the published ones. */
@Command(
    name = "reproduce",
    description = {
      "Trains a network by its published recipes, once per loss and seed, and tabulates our errors next to the published"
          + " ones.",
      "To continue, run the same command again: it keeps finished runs and resumes a stopped one.",
      "Started with mpirun, several processes train each run together."
    })
final class ReproduceCommand implements Callable<Integer> {
  private static final String ALL = "all";

  /** Of the processes that are not the first. */
  private static final TrainingSession.Reporter SILENT =
      new TrainingSession.Reporter() {
        @Override
        public void started(RunConfig config, DataSet<?> images, Path folder, Integer epoch, double done) {
          // The first process tells of it.
        }

        @Override
        public void epochEnded(EpochReport report) {
          // The first process tells of it.
        }

        @Override
        public void ended(TrainingResult result, Path folder) {
          // The first process tells of it.
        }
      };

  /** Candidates for completion and help. */
  static final class PublishedDataSets extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    PublishedDataSets() {
      super(Presets.datasets());
    }
  }

  /** Candidates for completion and help. */
  static final class PublishedNetworks extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    PublishedNetworks() {
      super(Presets.networks(null));
    }
  }

  /** Candidates for completion and help. */
  static final class PublishedLosses extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    PublishedLosses() {
      super(List.of(ALL, "global", "pred", "sim", "predsim"));
    }
  }

  @Mixin(name = CommonOptions.NAME)
  private CommonOptions common;

  @Option(
      names = "--dataset",
      required = true,
      paramLabel = "NAME",
      completionCandidates = PublishedDataSets.class,
      description = "One of ${COMPLETION-CANDIDATES}.")
  private String dataset;

  @Option(
      names = "--model",
      required = true,
      paramLabel = "NAME",
      completionCandidates = PublishedNetworks.class,
      description = "A network, as in the presets' names: one of ${COMPLETION-CANDIDATES}.")
  private String network;

  @Option(
      names = "--loss",
      paramLabel = "LOSS",
      defaultValue = ALL,
      completionCandidates = PublishedLosses.class,
      description = "One of ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.")
  private String loss;

  @Option(
      names = "--seeds",
      paramLabel = "N",
      defaultValue = "3",
      description = "Number of runs of each recipe, with seeds 1 to N. Default: ${DEFAULT-VALUE}.")
  private int seeds;

  @Option(
      names = "--epochs-scale",
      paramLabel = "X",
      defaultValue = "1",
      description = "Multiply all of a recipe's epoch numbers by X, for a quick trial. Default: ${DEFAULT-VALUE}.")
  private double epochsScale;

  @Option(
      names = "--data-dir",
      paramLabel = "DIR",
      description = "Folder with the data set's files in their original format."
          + " Default: the usual places, shown by 'layerwise doctor'.")
  private Path dataDir;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "Folder for table.md, table.json and one folder PRESET/seed-N per run."
          + " Default: runs/reproduce-DATASET-MODEL, with -xSCALE appended if --epochs-scale is given.")
  private Path out;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    return Launch.together(this::call);
  }

  private int call(Communicator processes) {
    checkNames();
    List<Preset> related =
        Presets.all().stream()
            .filter(preset -> preset.dataset().equals(dataset) && preset.network().equals(network))
            .toList();
    List<Preset> presets = withLoss(related);
    Checks.range("--seeds", seeds, 1, 1000);
    Checks.usage(
        epochsScale > 0 && epochsScale <= 1000, "--epochs-scale must be positive (at most 1000), not " + epochsScale);
    DataSet<?> images =
        ReadingPrinter.show(
            DataSets.info(dataset).title(), spec.commandLine().getErr(),
            listener -> DataSets.load(dataset, dataDir, listener));
    PrintWriter err = spec.commandLine().getErr();
    ReproductionPrinter printer =
        new ReproductionPrinter(
            spec.commandLine().getOut(), err, common.json, common.verbose,
            !common.json && Terminal.isStderr() ? () -> new ProgressLine(err, Terminal::width) : null);
    TrainingSession session = new TrainingSession(processes);
    return StopOnSignal.run(
        () -> {
          session.requestStop();
          printer.stopping();
        },
        printer::clearProgress,
        () ->
            processes.isFirst()
                ? lead(related, presets, images, session, printer, processes)
                : follow(images, session, processes));
  }

  /** Decides which runs are trained, and tells the other processes of each. */
  private boolean lead(
      List<Preset> related, List<Preset> presets, DataSet<?> images, TrainingSession session, ReproductionPrinter printer,
      Communicator processes) {
    DeviceOptions device = NativeContext.resolve(common.deviceOptions());
    Launch.warnOfCores(device.threads(), common.threads != null, spec.commandLine().getErr());
    common.printInUse(device, spec.commandLine().getErr());
    Path folder = Checks.or(out, defaultFolder());
    Reproduction reproduction =
        new Reproduction(
            related, images, folder, epochsScale, device, processes.slice().size(),
            (preset, config, checkpoint, directory) -> {
              Task task = new Task(config, checkpoint == null ? null : checkpoint.toString());
              processes.gather(task, Task.class);
              return task.train(
                  images, directory, session, SessionSettings.startedBy(ResumeHint.typed(spec)),
                  printer.of(preset, config.training().seed()), processes);
            },
            printer);
    boolean done = reproduction.run(presets, seeds);
    processes.gather(null, Task.class); // all are done
    if (done) {
      printer.done(reproduction.table(), reproduction.table().toText(), folder);
    } else {
      printer.stopped(folder);
    }
    return done;
  }

  /** Trains with the first process what it decides to train. */
  private static boolean follow(DataSet<?> images, TrainingSession session, Communicator processes) {
    boolean done = true;
    for (Task next = Task.next(processes); next != null; next = Task.next(processes)) {
      done = next.train(images, null, session, SessionSettings.DEFAULT, SILENT, processes).finished();
    }
    return done;
  }

  /**
   * A run to be trained.
   *
   * @param checkpoint the folder of the run that goes on; {@code null}: a new run
   */
  private record Task(@JsonProperty("config") RunConfig config, @JsonProperty("checkpoint") String checkpoint) {
    /** What the first process has to train next; {@code null} when all is done. */
    static Task next(Communicator processes) {
      return processes.gather(null, Task.class).get(0);
    }

    TrainingResult train(
        DataSet<?> images, RunDirectory directory, TrainingSession session, SessionSettings settings,
        TrainingSession.Reporter reporter, Communicator processes) {
      NativeContext.Together together = new NativeContext.Together(processes.ofDevices());
      try (NativeContext context = NativeContext.create(config.device(), config.training().seed(), together)) {
        return session.train(
            context, config, checkpoint == null ? null : Path.of(checkpoint), images, directory, settings, reporter);
      }
    }
  }

  private void checkNames() {
    dataset = dataset.toLowerCase(Locale.ROOT);
    network = network.toLowerCase(Locale.ROOT);
    loss = loss.toLowerCase(Locale.ROOT);
    Checks.oneOf("--dataset", dataset, Presets.datasets());
    Checks.usage(
        Presets.networks(dataset).contains(network),
        "there are no published runs of '" + network + "' on " + dataset + "; --model takes one of "
            + String.join(", ", Presets.networks(dataset)));
    Checks.oneOf("--loss", loss, new PublishedLosses());
  }

  private List<Preset> withLoss(List<Preset> related) {
    List<Preset> chosen = related.stream().filter(preset -> loss.equals(ALL) || preset.loss().equals(loss)).toList();
    Checks.usage(
        !chosen.isEmpty(),
        network + " on " + dataset + " was not trained with --loss " + loss + ", but with "
            + String.join(", ", related.stream().map(Preset::loss).toList()));
    return chosen;
  }

  private Path defaultFolder() {
    String scale = epochsScale == 1 ? "" : "-x" + epochsScale;
    return Path.of("runs", "reproduce-" + dataset + "-" + network + scale);
  }
}
