package dev.layerwise.cli;

import dev.layerwise.LayerwiseException;
import dev.layerwise.data.DataSet;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.files.FileErrors;
import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.Networks;
import dev.layerwise.model.WeightImport;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.recipe.Defaults;
import dev.layerwise.recipe.Preset;
import dev.layerwise.run.ConfigFile;
import dev.layerwise.run.InitialWeights;
import dev.layerwise.run.OtherImagesException;
import dev.layerwise.run.RecordedRun;
import dev.layerwise.run.ResumeRules;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.RunDirectory;
import dev.layerwise.run.TrainingConfig;
import dev.layerwise.run.TrainingResult;
import dev.layerwise.settings.Augmentation;
import dev.layerwise.settings.Batches;
import dev.layerwise.settings.ImageShape;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Settings;
import dev.layerwise.train.Communicator;
import dev.layerwise.train.SingleProcess;
import dev.layerwise.train.TrainingSession;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains a network. */
@Command(
    name = "train",
    resourceBundle = "dev.layerwise.cli.SettingDefaults",
    description = {
      "Trains a network block by block. Without options, trains an mlp on the included handwritten digits.",
      "Names and defaults follow the published code.",
      "Started with mpirun, several processes train one network together, as one process with the same batch would."
    })
final class TrainCommand implements Callable<Integer> {
  @Mixin(name = CommonOptions.NAME)
  private CommonOptions common;

  @Option(
      names = "--preset",
      paramLabel = "NAME",
      completionCandidates = PresetNames.class,
      description = "Use the settings of a published run listed by 'layerwise presets'; other options override them."
          + " Default: none.")
  private String presetName;

  @Mixin(name = "Data")
  private DataOptions data = new DataOptions();

  @Mixin(name = "Network and losses")
  private ModelOptions model = new ModelOptions();

  @Mixin(name = "Optimization")
  private OptimizationOptions optimization = new OptimizationOptions();

  @Mixin(name = "Augmentation")
  private AugmentationOptions augmentation = new AugmentationOptions();

  @Mixin(name = "The run")
  private RunOptions run = new RunOptions();

  @Mixin(name = "Several processes")
  private ProcessOptions several = new ProcessOptions();

  @Spec private CommandSpec spec;

  private ConfigFile file; // null: none was given

  @Override
  public Integer call() {
    return Launch.together(this::call);
  }

  private int call(Communicator started) {
    Path checkpoint = checkpointToResume();
    RunConfig recorded = checkpoint == null ? null : RecordedRun.read(checkpoint).config();
    DataSetInfo info = datasetInfo(recorded, checkpoint);
    RunConfig configured = configure(recorded, info);
    Communicator processes =
        several.divide(started, configured, recorded == null ? configured : recorded, spec.commandLine().getErr());
    RunConfig wanted = several.over(configured, processes);
    Checks.usage(
        recorded == null || recorded.statistics() == null || Objects.equals(recorded.processes(), wanted.processes()),
        "a run with local statistics keeps its number of processes, on which its results depend");
    NativeContext.Together together =
        new NativeContext.Together(processes.ofDevices(), wanted.statistics() != null, wanted.reduce() != null);
    try (NativeContext context = NativeContext.create(wanted.device(), wanted.training().seed(), together)) {
      if (processes.isFirst()) {
        Launch.warnOfCores(context.threads(), wanted.device().threads() != 0, spec.commandLine().getErr());
        warnOfOtherBits(recorded, configured, wanted);
      }
      return train(context, wanted.on(context.inUse()), recorded, checkpoint, info, processes);
    }
  }

  /**
   * The configuration of the new run that the parsed options ask for, after the checks that can be made without training.
   * Its device is as it was asked for.
   */
  RunConfig plan() {
    checkpointToResume();
    DataSetInfo info = datasetInfo(null, null);
    RunConfig configured = configure(null, info);
    Communicator alone = several.divide(new SingleProcess(), configured, configured, spec.commandLine().getErr());
    RunConfig wanted = several.over(configured, alone);
    Networks.layers(wanted.model());
    if (wanted.init() != null) {
      checkWeights(wanted);
    }
    data.requireFound(info);
    return wanted;
  }

  /** A run may go on, or be repeated, with another number of processes. */
  private void warnOfOtherBits(RunConfig recorded, RunConfig configured, RunConfig wanted) {
    if (file != null && configured.processes() != null && !configured.processes().equals(wanted.processes())) {
      PrintWriter err = spec.commandLine().getErr();
      err.printf(
          "layerwise: the run is trained by %s, and not by %s as %s says: its results will differ in their last digits%n",
          inWords(wanted.processes()), inWords(configured.processes()), run.config);
      err.flush();
    }
    if (recorded != null && !Objects.equals(recorded.processes(), wanted.processes())) {
      PrintWriter err = spec.commandLine().getErr();
      err.printf(
          "layerwise: the run goes on with %s instead of %s: its results will differ in their last digits from those of a"
              + " run without this change%n",
          inWords(wanted.processes()), inWords(recorded.processes()));
      err.flush();
    }
  }

  private static String inWords(Integer processes) {
    return processes == null ? "one process" : processes + " processes";
  }

  private int train(
      NativeContext context, RunConfig config, RunConfig recorded, Path checkpoint, DataSetInfo info,
      Communicator processes) {
    if (recorded != null) {
      List<String> changed = ResumeRules.forbidden(recorded, config);
      Checks.usage(
          changed.isEmpty(),
          "a resumed run keeps its settings; these options would change " + String.join(", ", changed));
    }
    Networks.layers(config.model()); // rejects an invalid network before data is loaded and folders are made
    if (recorded == null && config.init() != null) {
      checkWeights(config);
    }
    DataSet<?> images = data.load(info, spec.commandLine().getErr());
    try (RunDirectory directory = processes.isFirst() ? openDirectory(config, checkpoint) : null) {
      if (directory != null) {
        if (checkpoint == null) {
          directory.requireNoForeignFiles();
        }
        data.place(info).ifPresent(directory::writeDataPlace);
      }
      return train(context, config, checkpoint, images, directory, processes);
    } catch (OtherImagesException e) {
      throw new LayerwiseException(e.getMessage() + " from its weights with --init " + checkpoint, e);
    }
  }

  /** Throws if the weights do not fit the network; with --init-partial, prints which weights are taken. */
  private void checkWeights(RunConfig config) {
    boolean partial = config.init().takesWhatFits();
    try (NativeContext context = NativeContext.create(config.device(), config.training().seed());
        DeviceNetwork network = new DeviceNetwork(context, config.model(), Optimizer.STATELESS)) {
      WeightImport weights = WeightImport.compare(Path.of(config.init().file()), network);
      if (!partial && weights.fitsInPart() && !weights.fitsWhole()) {
        throw new LayerwiseException(weights.misfit() + "; --init-partial takes the weights that fit");
      }
      weights.requireFit(partial);
      if (partial) {
        PrintWriter err = spec.commandLine().getErr();
        weights.summary().forEach(line -> err.println("layerwise: " + line));
        err.flush();
      }
    }
  }

  private Path checkpointToResume() {
    Checks.usage(run.init != null || !run.initPartial, "--init-partial needs --init, which gives the weights");
    if (run.resume == null) {
      file = run.config == null ? null : ConfigFile.read(run.config);
      return null;
    }
    Checks.usage(run.config == null, "--config is for new runs; a resumed run keeps its own settings");
    Checks.usage(run.init == null, "--init is for new runs; a resumed run continues with its own weights");
    boolean fromOut = run.resume.toString().isEmpty();
    Checks.usage(
        !fromOut || run.out != null,
        "--resume without a value continues the run in --out; give --resume a run, or add --out");
    return fromOut ? run.out : run.resume;
  }

  private Preset preset() {
    return presetName == null ? null : PresetNames.require(presetName);
  }

  /** The requested data set, or that of the recorded run, the file or the preset, or the digits. */
  private DataSetInfo datasetInfo(RunConfig recorded, Path checkpoint) {
    Preset preset = preset();
    String usual = recorded != null ? recorded.training().dataset() : preset != null ? preset.dataset() : "digits";
    Integer size = recorded == null ? null : recorded.model().images().height();
    Integer resize = recorded == null ? null : recorded.training().resize();
    if (file != null) {
      usual = Checks.or(file.dataset(), usual);
      size = file.imageSize();
      resize = file.resize();
    }
    String name = Checks.or(data.dataset, usual);
    Path earlier = checkpoint != null ? checkpoint : run.config;
    if (earlier != null) {
      data.findAgain(earlier, name);
    }
    DataSetInfo info = data.info(name, size, resize, spec.commandLine().getErr());
    if (file != null && name.equals(usual) && data.imageSize == null) { // what it says of other images does not count
      file.requireFits(new ImageShape(info.channels(), info.height(), info.width()), info.classes(), info.title());
    }
    return info;
  }

  /** The options over the file, the preset, the defaults of the data set, or the recorded configuration. */
  private RunConfig configure(RunConfig recorded, DataSetInfo info) {
    RunConfig start = base(recorded, preset(), info);
    RunConfig base = file == null ? start : file.over(start);
    TrainingConfig training = base.training();
    ModelConfig options = model.over(base.model());
    ModelConfig network =
        options.with(
            Settings.with(options.architecture(), "whiten", NetworkOptions.onlyIf(run.whiten)), options.network());
    Batches batches = optimization.batches().over(training.batches());
    batches.requireFit(network.architecture());
    Augmentation changes = augmentation.over(training.augmentation());
    changes.requireFit(info.name(), data.isFolder());
    return new RunConfig(
        network,
        optimization.optimizer().over(base.optimizer()),
        new TrainingConfig(
            info.name(), info.resize(), batches, optimization.schedule(run.patience).over(training.schedule()),
            changes, optimization.freezing().over(training.freezing()), Checks.or(optimization.seed, training.seed())),
        device(base, network, batches),
        recorded != null ? recorded.init() : run.init == null ? base.init() : InitialWeights.of(run.init, run.initPartial),
        base.processes(), base.stages(), recorded == null ? base.statistics() : recorded.statistics(),
        recorded == null ? base.reduce() : recorded.reduce());
  }

  /** The device; what a run has chosen for the sizes of its products holds for no other sizes. */
  private DeviceOptions device(RunConfig base, ModelConfig network, Batches batches) {
    DeviceOptions device = common.over(base.device());
    boolean same = file == null || network.equals(base.model()) && batches.equals(base.training().batches());
    return same ? device : device.withEngineChoices("");
  }

  /** The settings that the options override. A resumed preset keeps its seed and device. */
  private static RunConfig base(RunConfig recorded, Preset preset, DataSetInfo data) {
    if (preset == null) {
      return recorded == null ? Defaults.of(data) : recorded;
    }
    RunConfig base = preset.runConfig(data);
    if (recorded == null) {
      return base;
    }
    TrainingConfig before = recorded.training();
    return new RunConfig(
        base.model(), base.optimizer(), base.training().withSeed(before.seed()), recorded.device());
  }

  /** The resumed run's own folder, or else a folder without a run. */
  private RunDirectory openDirectory(RunConfig config, Path checkpoint) {
    Path home = checkpoint == null ? null : RunDirectory.folderOf(checkpoint);
    Path folder = run.out != null ? run.out : home != null ? home : freeFolder(config);
    boolean goesOnThere = home != null && isSameFolder(home, folder);
    RunDirectory directory = RunDirectory.open(folder);
    if (!goesOnThere && directory.holdsRun()) {
      directory.close();
      throw new LayerwiseException(
          "the folder " + folder + " already holds a run; "
              + (home == null ? "continue it with --resume, or choose another --out" : "choose another --out"));
    }
    return directory;
  }

  private static boolean isSameFolder(Path one, Path other) {
    try {
      return Files.exists(other) && Files.isSameFile(one, other);
    } catch (IOException e) {
      throw new LayerwiseException("cannot read " + other + " (" + FileErrors.reason(e) + ")", e);
    }
  }

  private Path freeFolder(RunConfig config) {
    ModelConfig model = config.model();
    String name =
        presetName != null
            ? presetName
            : String.join(
                "-", config.training().dataset(), model.name().replaceFirst("(?i)\\.json$", ""),
                model.losses().name());
    Path folder = Path.of("runs", name);
    for (int number = 2; Files.exists(folder); number++) {
      folder = Path.of("runs", name + "-" + number);
    }
    return folder;
  }

  private int train(
      NativeContext context, RunConfig config, Path checkpoint, DataSet<?> images, RunDirectory directory,
      Communicator processes) {
    PrintWriter err = spec.commandLine().getErr();
    ProgressLine progress = !common.json && Terminal.isStderr() ? new ProgressLine(err, Terminal::width) : null;
    RunPrinter printer =
        new RunPrinter(
            spec.commandLine().getOut(), err, common.json, common.verbose, progress, common::inWords, data.noExif);
    TrainingSession session = new TrainingSession(processes);
    int exitCode =
        StopOnSignal.run(
            () -> {
              session.requestStop();
              printer.stopping(Launch.size() > 1);
            },
            printer::clearProgress,
            () -> {
              TrainingResult result =
                  session.train(context, config, checkpoint, images, directory, run.settings(ResumeHint.typed(spec)), printer);
              return result.ending() != TrainingResult.Ending.STOPPED;
            });
    data.printSkipped(err, processes);
    return exitCode;
  }
}
