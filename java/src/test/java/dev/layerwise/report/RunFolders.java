package dev.layerwise.report;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.data.DataSets;
import dev.layerwise.recipe.Preset;
import dev.layerwise.recipe.Presets;
import dev.layerwise.run.EpochReport.BlockReport;
import dev.layerwise.run.EpochReport;
import dev.layerwise.run.Evaluation;
import dev.layerwise.run.RunConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/** Folders of runs that nobody has trained. */
final class RunFolders {
  /** One grey pixel. */
  static final byte[] PNG =
      Base64.getDecoder().decode(
          "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==");

  private static final ObjectMapper JSON = new ObjectMapper();

  private RunFolders() {}

  /** The configuration of a published run. */
  static RunConfig config(String preset) {
    Preset recipe = Presets.find(preset).orElseThrow();
    return recipe.runConfig(DataSets.info(recipe.dataset()));
  }

  /** A folder with a configuration and metrics. */
  static Path write(Path folder, RunConfig config, List<EpochReport> epochs) {
    try {
      Files.createDirectories(folder);
      JSON.writeValue(folder.resolve("config.json").toFile(), config);
      StringBuilder lines = new StringBuilder();
      for (EpochReport epoch : epochs) {
        lines.append(JSON.writeValueAsString(epoch)).append('\n');
      }
      Files.writeString(folder.resolve("metrics.jsonl"), lines);
      return folder;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static void write(Path folder, Evaluation evaluation) {
    try {
      JSON.writeValue(folder.resolve(Evaluation.FILE_NAME).toFile(), evaluation);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Epochs whose numbers are all different, and fall from epoch to epoch. */
  static List<EpochReport> epochs(int count, int layers) {
    List<EpochReport> epochs = new ArrayList<>();
    for (int epoch = 1; epoch <= count; epoch++) {
      List<BlockReport> blocks = new ArrayList<>();
      for (int layer = 0; layer < layers; layer++) {
        double at = (layer + 2.0) * epoch;
        blocks.add(new BlockReport("layers." + layer, 0.9 / at, 0.07 / at, null, 87.0 / at, 90.0 / at, null));
      }
      epochs.add(
          new EpochReport(
              epoch, count, 5e-4, 2.3 / epoch, 61.0 / epoch, 2.1 / epoch, 53.0 / epoch, null, null, 1234 + epoch,
              1.5 * epoch, blocks));
    }
    return epochs;
  }
}
