package dev.layerwise.recipe;

import dev.layerwise.LayerwiseException;
import dev.layerwise.data.DataSet;
import dev.layerwise.files.FileException;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.NativeLibrary;
import dev.layerwise.run.OtherImagesException;
import dev.layerwise.run.RecordedRun;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.RunDirectory;
import dev.layerwise.run.RunImages;
import dev.layerwise.run.TrainingResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Runs of several recipes with several seeds, each in a folder of its own, and the table of what they gave. */
public final class Reproduction {
  private final List<Preset> related;
  private final DataSet<?> images;
  private final RunImages runImages;
  private final Path folder;
  private final double epochsScale;
  private final DeviceOptions device;
  private final int processes;
  private final Training training;
  private final Listener listener;
  /** The finished runs of each recipe, by seed. */
  private final Map<Preset, Map<Long, TrainingResult>> finished = new LinkedHashMap<>();

  /** Trains the runs. */
  @FunctionalInterface
  public interface Training {
    /**
     * Trains a run to its end, or until a stop is asked for.
     *
     * @param checkpoint the folder of the run that goes on; {@code null}: a new run
     */
    TrainingResult train(Preset preset, RunConfig config, Path checkpoint, RunDirectory directory);
  }

  /** Is told of the runs that need no training. */
  public interface Listener {
    /** An earlier command has finished the run. */
    void kept(Preset preset, long seed, TrainingResult result);

    /** A run that was not asked for is damaged, and so is not in the table. */
    void leftOut(Preset preset, long seed, FileException reason);
  }

  /**
   * Runs to be done.
   *
   * @param related all recipes that the table may show
   * @param folder of the table and, below it, of the runs
   * @param epochsScale factor of all epoch numbers
   * @param processes how many train each run together
   */
  public Reproduction(
      List<Preset> related, DataSet<?> images, Path folder, double epochsScale, DeviceOptions device, int processes,
      Training training, Listener listener) {
    this.related = related;
    this.images = images;
    this.runImages = RunImages.of(images);
    this.folder = folder;
    this.epochsScale = epochsScale;
    this.device = device;
    this.processes = processes;
    this.training = training;
    this.listener = listener;
  }

  private Path home(Preset preset, long seed) {
    return folder.resolve(preset.name()).resolve("seed-" + seed);
  }

  /**
   * What earlier commands have finished in the same configuration, by any number of processes, with seeds 1, 2, …. A damaged checkpoint counts for
   * nothing where the run was not asked for.
   *
   * @param seeds how many of them are asked for
   */
  private Map<Long, TrainingResult> earlierRuns(Preset preset, int seeds) {
    Map<Long, TrainingResult> runs = new TreeMap<>();
    for (long seed = 1; Files.exists(home(preset, seed)); seed++) {
      Path home = home(preset, seed);
      if (RunDirectory.holdsModel(home) && RunDirectory.holdsCheckpoint(home)) {
        try {
          RecordedRun run = RecordedRun.read(home);
          boolean same = run.config().by(processes).equals(config(preset, seed)) && run.mayBeOf(runImages);
          if (run.result().finished() && same) {
            runs.put(seed, run.result());
          }
        } catch (FileException e) {
          if (seed <= seeds) {
            throw e;
          }
          listener.leftOut(preset, seed, e);
        }
      }
    }
    return runs;
  }

  /**
   * Finishes what is not yet finished, all recipes with one seed before any with the next, so that an early look sees
   * all of them. Writes the table after each run.
   *
   * @param presets some of those that the table may show
   * @return whether all is finished; otherwise it was stopped
   */
  public boolean run(List<Preset> presets, int seeds) {
    related.forEach(preset -> finished.put(preset, earlierRuns(preset, presets.contains(preset) ? seeds : 0)));
    for (long seed = 1; seed <= seeds; seed++) {
      for (Preset preset : presets) {
        TrainingResult earlier = finished.get(preset).get(seed);
        if (earlier != null) {
          listener.kept(preset, seed, earlier);
          continue;
        }
        TrainingResult result = train(preset, seed);
        if (!result.finished()) {
          return false;
        }
        finished.get(preset).put(seed, result);
        writeTable();
      }
    }
    writeTable();
    return true;
  }

  private TrainingResult train(Preset preset, long seed) {
    Path home = home(preset, seed);
    RunConfig config = config(preset, seed);
    try (RunDirectory directory = RunDirectory.open(home)) {
      if (!directory.holdsRun()) {
        return training.train(preset, config, null, directory);
      }
      EarlierRuns.requireCheckpoint(home);
      EarlierRuns.requireSame(home, RecordedRun.read(home).config().by(processes), config);
      return training.train(preset, config, home, directory);
    } catch (OtherImagesException e) {
      throw new LayerwiseException(home + ": " + e.getMessage() + " in another folder", e);
    }
  }

  private RunConfig config(Preset preset, long seed) {
    RunConfig config = preset.runConfig(images.info());
    return new RunConfig(
            config.model(), config.optimizer(), config.training().stretched(epochsScale).withSeed(seed), device)
        .by(processes);
  }

  private void writeTable() {
    ResultsTable table = table();
    TableFiles.write(folder, table, table.toMarkdown());
  }

  /** What has been finished: a row for each recipe with a finished run. */
  public ResultsTable table() {
    List<Measurement> rows = new ArrayList<>();
    finished.forEach(
        (preset, runs) -> {
          if (!runs.isEmpty()) {
            rows.add(
                new Measurement(
                    preset.name(), preset.publishedError(), List.copyOf(runs.keySet()),
                    runs.values().stream().map(TrainingResult::testError).toList(),
                    runs.values().stream().map(TrainingResult::seconds).toList(),
                    config(preset, 1).training().schedule().epochs()));
          }
        });
    String network = finished.keySet().iterator().next().network();
    return new ResultsTable(
        images.info().title() + ", " + network, NativeLibrary.version(), device.device(), device.precision(),
        device.threads(), processes == 1 ? null : (Integer) processes, NativeLibrary.cpuFeatures(), epochsScale, rows);
  }
}
