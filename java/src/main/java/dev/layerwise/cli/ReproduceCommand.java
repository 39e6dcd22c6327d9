package dev.layerwise.cli;

import dev.layerwise.data.DataSet;
import dev.layerwise.data.DataSets;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.recipe.Preset;
import dev.layerwise.recipe.Presets;
import dev.layerwise.recipe.Reproduction;
import dev.layerwise.train.SessionSettings;
import dev.layerwise.train.SingleProcess;
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
      "To continue, run the same command again: it keeps finished runs and resumes a stopped one."
    })
final class ReproduceCommand implements Callable<Integer> {
  private static final String ALL = "all";

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
    checkNames();
    List<Preset> related =
        Presets.all().stream()
            .filter(preset -> preset.dataset().equals(dataset) && preset.network().equals(network))
            .toList();
    List<Preset> presets = withLoss(related);
    Checks.range("--seeds", seeds, 1, 1000);
    Checks.usage(
        epochsScale > 0 && epochsScale <= 1000, "--epochs-scale must be positive (at most 1000), not " + epochsScale);
    DataSet<?> images = DataSets.load(dataset, dataDir);
    Path folder = Checks.or(out, defaultFolder());
    PrintWriter results = spec.commandLine().getOut();
    DeviceOptions device = NativeContext.resolve(common.deviceOptions());
    ReproductionPrinter printer =
        new ReproductionPrinter(results, spec.commandLine().getErr(), common.json, common.verbose);
    TrainingSession session = new TrainingSession(new SingleProcess());
    Reproduction reproduction =
        new Reproduction(
            related, images, folder, epochsScale, device,
            (preset, config, checkpoint, directory) -> {
              long seed = config.training().seed();
              try (NativeContext context = NativeContext.create(config.device(), seed)) {
                return session.train(
                    context, config, checkpoint, images, directory, SessionSettings.DEFAULT, printer.of(preset, seed));
              }
            },
            printer);
    return StopOnSignal.run(
        () -> {
          session.requestStop();
          printer.stopping();
        },
        () -> {
          boolean done = reproduction.run(presets, seeds);
          if (done) {
            printer.done(reproduction.table(), folder);
          } else {
            printer.stopped(folder);
          }
          return done;
        });
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
