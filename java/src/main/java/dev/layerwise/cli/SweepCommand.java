package dev.layerwise.cli;

import dev.layerwise.LayerwiseException;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.DeviceOptionsException;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.run.RunConfig;
import dev.layerwise.settings.SettingsException;
import dev.layerwise.sweep.Combination;
import dev.layerwise.sweep.Sweep;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Trains with many values of options and compares the results. */
@Command(
    name = "sweep",
    description = {
      "Trains with many values of the options of 'train', once per combination and seed, each run in a process of its own, and"
          + " tabulates the errors, the best first.",
      "The options that all runs share follow after --. All combinations are checked before the first run begins.",
      "To continue, run the same command again: it keeps finished runs and resumes a stopped one."
    })
final class SweepCommand implements Callable<Integer> {
  /** What the sweep decides for each run, and what would end a run early. */
  private static final Map<String, String> OWN =
      Map.of(
          "--seed", "give --seeds before --", "--out", "give it before --", "--json", "give it before --", "-q",
          "give it before --", "--verbose", "give it before --", "-h", "see 'layerwise train --help'", "--resume",
          "run the same sweep again to continue it", "--time-limit", "each run is trained to its end");

  /** What a run does not record and so is told again when it is resumed. */
  private static final Set<String> OF_SESSIONS =
      Set.of("--data-dir", "--strict", "--no-exif", "--checkpoint-every", "--tensorboard");

  private static final int MOST_RUNS = Combination.MOST;

  @Mixin(name = OutputOptions.NAME)
  private OutputOptions output;

  @Option(
      names = "--grid",
      paramLabel = "NAME=VALUES",
      description = "Values of an option of 'train', such as lr=1e-3,2e-3; as a range, epochs=5:20:5 (from, to, step) or"
          + " lr=log:1e-4:1e-2:5 (from, to, count). Semicolons separate values with commas in them. For an option without a"
          + " value: backprop=true,false. May be repeated; all combinations are trained. Default: none.")
  private List<String> grid = new ArrayList<>();

  @Option(
      names = "--random",
      paramLabel = "NAME=DISTRIBUTION",
      description = "Draw an option's values: lr=log:1e-4:1e-2 (evenly by logarithm), dropout=uniform:0:0.5,"
          + " num-layers=int:1:4, or from a list as for --grid. May be repeated. Default: none.")
  private List<String> random = new ArrayList<>();

  @Option(
      names = "--samples",
      paramLabel = "N",
      description = "With --random: how many times to draw; with --grid too, each sample is trained with each of its"
          + " combinations. The first samples stay the same when N grows. Default: 10.")
  private Integer samples;

  @Option(names = "--sweep-seed", paramLabel = "N", description = "Seed of what --random draws. Default: 1.")
  private Long sweepSeed;

  @Option(
      names = "--seeds",
      paramLabel = "N,...",
      split = ",",
      preprocessor = OptionSections.LastList.class,
      description = "Seeds with which each combination is trained. Default: 1.")
  private List<Long> seeds;

  @Option(
      names = "--jobs",
      paramLabel = "N",
      defaultValue = "1",
      description = "How many runs to train at a time; give each its share of the cores with --threads after --."
          + " Default: ${DEFAULT-VALUE}.")
  private int jobs;

  @Option(
      names = {"--out", "--save-dir"},
      paramLabel = "DIR",
      description = "Folder for table.md, table.json and one folder COMBINATION/seed-N per run."
          + " Default: runs/sweep-NAMES, with the names of the options swept.")
  private Path out;

  @Parameters(
      paramLabel = "TRAIN-OPTION",
      arity = "0..*",
      description = "After --: options of 'train' that all runs have.")
  private List<String> shared = new ArrayList<>();

  @Spec private CommandSpec spec;

  private final Map<DeviceOptions, DeviceOptions> devices = new HashMap<>();
  private final Map<Sweep.Run, List<String>> arguments = new HashMap<>();
  private final Map<Sweep.Run, List<String>> resuming = new HashMap<>();

  @Override
  public Integer call() {
    List<Sweep.Run> runs = plan();
    Path folder = folder();
    Sweep sweep = new Sweep(folder, title(runs), runs);
    SweepPrinter printer =
        new SweepPrinter(spec.commandLine().getOut(), spec.commandLine().getErr(), output.json, jobs > 1);
    Set<TrainProcess> processes = ConcurrentHashMap.newKeySet();
    Stop stop = new Stop(processes, printer);
    int code =
        StopOnSignal.run(
            stop::request,
            stop::passOn,
            () -> {
              boolean done;
              try {
                done = sweep.run(jobs, stop::requested, (run, resumes) -> train(run, resumes, stop, printer), printer);
              } catch (RuntimeException e) { // such as a full disk: the runs at work are saved first
                stop.endAll();
                throw e;
              }
              if (done) {
                printer.done(sweep.table(), sweep.table().toText(), folder);
              } else {
                printer.stopped(folder);
              }
              return done;
            });
    if (code == 0 && sweep.failures() > 0) {
      throw new LayerwiseException(
          sweep.failures() + " of " + runs.size() + (runs.size() == 1 ? " run" : " runs")
              + " failed; run the same command again to train what is missing");
    }
    return code;
  }

  /** A stop that is passed on to the processes that train. */
  private static final class Stop {
    private final Set<TrainProcess> processes;
    private final SweepPrinter printer;
    private boolean requested;

    Stop(Set<TrainProcess> processes, SweepPrinter printer) {
      this.processes = processes;
      this.printer = printer;
    }

    synchronized void request() {
      requested = true;
      printer.stopping();
      passOn();
    }

    void passOn() {
      processes.forEach(TrainProcess::stop);
    }

    /** Stops all processes, and returns when each has saved its run. */
    void endAll() {
      synchronized (this) {
        requested = true;
      }
      passOn();
      processes.forEach(TrainProcess::await);
    }

    synchronized boolean requested() {
      return requested;
    }

    /** Starts a process, unless a stop was asked for: then {@code null}. */
    synchronized TrainProcess start(List<String> words, SweepPrinter errors, boolean verbose) {
      if (requested) {
        return null;
      }
      TrainProcess process =
          TrainProcess.start(
              words,
              line -> {
                if (verbose) {
                  errors.say("%s", line);
                }
              });
      processes.add(process);
      return process;
    }

    void ended(TrainProcess process) {
      processes.remove(process);
    }
  }

  private Sweep.Ended train(Sweep.Run run, boolean resumes, Stop stop, SweepPrinter printer) {
    TrainProcess process = stop.start((resumes ? resuming : arguments).get(run), printer, output.verbose);
    if (process == null) {
      return new Sweep.Ended(true, null);
    }
    printer.started(run, resumes);
    try {
      int code = process.finish(event -> printer.event(run, event));
      boolean stopped = code != 0 && stop.requested();
      return new Sweep.Ended(stopped, code == 0 || stopped ? null : process.reason(code));
    } catch (RuntimeException e) {
      process.stop();
      process.await();
      throw e;
    } finally {
      stop.ended(process);
    }
  }

  /** All runs, those of one seed before those of the next, so that an early look sees all combinations. */
  private List<Sweep.Run> plan() {
    Checks.usage(!grid.isEmpty() || !random.isEmpty(), "sweep needs --grid or --random, such as --grid lr=1e-3,2e-3");
    Checks.usage(!random.isEmpty() || samples == null, "--samples goes with --random");
    Checks.usage(!random.isEmpty() || sweepSeed == null, "--sweep-seed goes with --random");
    Checks.range("--samples", samples, 1, MOST_RUNS);
    Checks.range("--jobs", jobs, 1, 1000);
    List<Combination> combinations = Combination.of(grid, random, Checks.or(samples, 10), Checks.or(sweepSeed, 1L));
    Set<Long> distinctSeeds = new LinkedHashSet<>(Checks.or(seeds, List.of(1L)));
    Checks.usage(
        (long) combinations.size() * distinctSeeds.size() <= MOST_RUNS,
        combinations.size() + " combinations are too many; sweep over at most " + MOST_RUNS + " runs");
    Map<Combination, Plan> plans = new HashMap<>();
    Map<RunConfig, Combination> sameRuns = new HashMap<>();
    for (Combination combination : combinations) {
      Plan plan = plan(combination);
      plans.put(combination, plan);
      Combination other = sameRuns.putIfAbsent(plan.config(), combination);
      Checks.usage(
          other == null,
          other + " and " + combination + " train the same; a switch that is on for all runs cannot be swept, nor what does"
              + " not change a run");
    }
    List<Sweep.Run> runs = new ArrayList<>();
    for (long seed : distinctSeeds) {
      for (Combination combination : combinations) {
        Plan plan = plans.get(combination);
        Path home = folder().resolve(combination.folderName()).resolve("seed-" + seed);
        Sweep.Run run = new Sweep.Run(combination, seed, plan.config().withSeed(seed), home);
        arguments.put(run, joined(plan.words(), List.of("--seed=" + seed, "--out=" + home)));
        resuming.put(run, joined(plan.ofSessions(), List.of("--resume=" + home)));
        runs.add(run);
      }
    }
    return runs;
  }

  /**
   * How a combination is trained.
   *
   * @param words of the command line
   * @param ofSessions those that a resumed run is given
   */
  private record Plan(RunConfig config, List<String> words, List<String> ofSessions) {}

  /** Judges a combination by the parser and the checks of 'train'. */
  private Plan plan(Combination combination) {
    CommandLine train = Main.configured(new CommandLine(new TrainCommand())).setErr(spec.commandLine().getErr());
    List<String> words = new ArrayList<>(shared);
    combination.values().forEach((name, value) -> words.addAll(words(train.getCommandSpec(), name, value)));
    try {
      CommandLine.ParseResult parsed = train.parseArgs(words.toArray(new String[0]));
      for (OptionSpec option : parsed.matchedOptions()) {
        String remedy = OWN.get(option.names()[0]);
        Checks.usage(remedy == null, option.longestName() + " is not for the runs of a sweep; " + remedy);
      }
      RunConfig config = ((TrainCommand) train.getCommand()).plan();
      return new Plan(config.on(devices.computeIfAbsent(config.device(), NativeContext::resolve)), words, ofSessions(parsed));
    } catch (ParameterException | Checks.UsageException | DeviceOptionsException e) {
      throw new Checks.UsageException(combination + ": " + e.getMessage());
    } catch (SettingsException e) {
      throw new Checks.UsageException(combination + ": " + e.withOptions());
    }
  }

  private static List<String> words(CommandSpec train, String name, String value) {
    OptionSpec option = train.findOption("--" + name);
    Checks.usage(option != null, "'train' has no option --" + name + ", which is to be swept");
    if (option.arity().max() > 0) {
      return List.of("--" + name + "=" + value);
    }
    Checks.usage(
        value.equals("true") || value.equals("false"),
        "--" + name + " takes no value; sweep it as " + name + "=true,false");
    if (value.equals("true")) {
      return List.of("--" + name);
    }
    return option.negatable() ? List.of("--no-" + name) : List.of();
  }

  private static List<String> ofSessions(CommandLine.ParseResult parsed) {
    return parsed.matchedOptions().stream()
        .filter(option -> OF_SESSIONS.contains(option.names()[0]))
        .map(
            option ->
                option.arity().max() == 0 ? option.names()[0] : option.names()[0] + "=" + last(option.originalStringValues()))
        .toList();
  }

  private static <T> T last(List<T> values) {
    return values.get(values.size() - 1);
  }

  private static List<String> joined(List<String> some, List<String> others) {
    return Stream.concat(some.stream(), others.stream()).toList();
  }

  private Path folder() {
    String names =
        String.join(
            "-", Stream.concat(grid.stream(), random.stream()).map(option -> option.replaceFirst("=(?s:.*)", "")).toList());
    return Checks.or(out, Path.of("runs", "sweep-" + names.replace('_', '-')));
  }

  private static String title(List<Sweep.Run> runs) {
    RunConfig config = runs.get(0).config();
    long combinations = runs.stream().map(Sweep.Run::combination).distinct().count();
    return "Sweep on " + config.training().dataset() + ": " + combinations
        + (combinations == 1 ? " combination" : " combinations");
  }
}
