package dev.layerwise.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.layerwise.Json;
import dev.layerwise.LayerwiseException;
import dev.layerwise.checkpoint.AtomicFiles;
import dev.layerwise.checkpoint.CheckpointException;
import dev.layerwise.data.DataSet;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.NativeLibrary;
import dev.layerwise.recipe.Preset;
import dev.layerwise.report.Measurement;
import dev.layerwise.report.ResultsTable;
import dev.layerwise.train.OtherImagesException;
import dev.layerwise.train.RecordedRun;
import dev.layerwise.train.ResumeRules;
import dev.layerwise.train.RunConfig;
import dev.layerwise.train.RunDirectory;
import dev.layerwise.train.RunImages;
import dev.layerwise.train.SessionSettings;
import dev.layerwise.train.Trainer;
import dev.layerwise.train.TrainingResult;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Runs of several recipes with several seeds, each in a folder of its own, and the table of what they gave. */
final class Reproduction {
  private static final ObjectMapper JSON = Json.mapper().enable(SerializationFeature.INDENT_OUTPUT);

  private final List<Preset> related;
  private final DataSet<?> images;
  private final RunImages runImages;
  private final Path folder;
  private final double epochsScale;
  private final DeviceOptions device;
  private final TrainingSession session;
  private final ReproductionPrinter printer;
  /** The finished runs of each recipe, by seed. */
  private final Map<Preset, Map<Long, TrainingResult>> finished = new LinkedHashMap<>();

  /**
   * @param related all recipes that the table may show
   * @param folder of the table and, below it, of the runs
   * @param epochsScale factor of all epoch numbers
   */
  Reproduction(
      List<Preset> related, DataSet<?> images, Path folder, double epochsScale, DeviceOptions device,
      TrainingSession session, ReproductionPrinter printer) {
    this.related = related;
    this.images = images;
    this.runImages = RunImages.of(images);
    this.folder = folder;
    this.epochsScale = epochsScale;
    this.device = device;
    this.session = session;
    this.printer = printer;
  }

  private Path home(Preset preset, long seed) {
    return folder.resolve(preset.name()).resolve("seed-" + seed);
  }

  /**
   * What earlier commands have finished in the same configuration, with seeds 1, 2, …. A damaged checkpoint counts for
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
          RecordedRun run = Trainer.recorded(home);
          boolean same = run.config().equals(config(preset, seed)) && run.mayBeOf(runImages);
          if (run.result().finished() && same) {
            runs.put(seed, run.result());
          }
        } catch (CheckpointException e) {
          if (seed <= seeds) {
            throw e;
          }
          printer.leftOut(preset, seed, e);
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
  boolean run(List<Preset> presets, int seeds) {
    related.forEach(preset -> finished.put(preset, earlierRuns(preset, presets.contains(preset) ? seeds : 0)));
    for (long seed = 1; seed <= seeds; seed++) {
      for (Preset preset : presets) {
        TrainingResult earlier = finished.get(preset).get(seed);
        if (earlier != null) {
          printer.kept(preset, seed, earlier);
          continue;
        }
        TrainingResult result = train(preset, seed);
        if (!result.finished()) {
          printer.stopped(folder);
          return false;
        }
        finished.get(preset).put(seed, result);
        writeTable();
      }
    }
    writeTable();
    printer.done(table(), folder);
    return true;
  }

  private TrainingResult train(Preset preset, long seed) {
    Path home = home(preset, seed);
    RunConfig config = config(preset, seed);
    try (RunDirectory directory = RunDirectory.open(home)) {
      if (!directory.holdsRun()) {
        return session.train(config, null, images, directory, SessionSettings.DEFAULT, printer.of(preset, seed));
      }
      if (!RunDirectory.holdsCheckpoint(home)) {
        throw new LayerwiseException(
            home + " holds a model without its checkpoint, which says how it was trained; remove that folder, or choose"
                + " another --out");
      }
      checkSame(home, config);
      return session.train(config, home, images, directory, SessionSettings.DEFAULT, printer.of(preset, seed));
    } catch (OtherImagesException e) {
      throw new LayerwiseException(home + ": " + e.getMessage() + " in another --out", e);
    }
  }

  private RunConfig config(Preset preset, long seed) {
    RunConfig config = preset.runConfig(images.info());
    return new RunConfig(
        config.model(), config.optimizer(), config.training().stretched(epochsScale).withSeed(seed), device);
  }

  /** Results of different configurations must not get into one table. */
  private static void checkSame(Path home, RunConfig wanted) {
    List<String> changes = ResumeRules.changes(Trainer.configOf(home), wanted);
    Checks.usage(
        changes.isEmpty(),
        home + " holds a run of another configuration; this command would change " + String.join(", ", changes)
            + "; give the options that it was started with, or choose another --out");
  }

  private void writeTable() {
    ResultsTable table = table();
    try {
      byte[] json = JSON.writeValueAsBytes(table);
      AtomicFiles.write(folder.resolve("table.json"), out -> out.write(json));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
    byte[] markdown = table.toMarkdown().getBytes(StandardCharsets.UTF_8);
    AtomicFiles.write(folder.resolve("table.md"), out -> out.write(markdown));
  }

  /** One row for each recipe with a finished run. */
  private ResultsTable table() {
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
        device.threads(), NativeLibrary.cpuFeatures(), epochsScale, rows);
  }
}
