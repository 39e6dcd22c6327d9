package dev.layerwise.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.data.DataSets;
import dev.layerwise.recipe.Preset;
import dev.layerwise.recipe.Presets;
import dev.layerwise.run.RunConfig;
import dev.layerwise.settings.Settings;
import java.util.Optional;
import java.util.Set;

/**
 * The published run that a run repeats.
 *
 * @param preset its recipe
 * @param schedule whether the run follows its epochs too
 */
record PublishedRun(Preset preset, boolean schedule) {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** What may differ in a repetition, as the device may: it decides bits, but is no part of a recipe. */
  private static final Set<String> NO_PART_OF_A_RECIPE = Set.of("seed", "patience");

  /** What a shorter or longer run of a recipe changes. */
  private static final Set<String> SCHEDULE =
      Set.of("epochs", "lr_decay_milestones", "classes_per_batch_until_epoch");

  /** The recipe with whose every setting a run's configuration agrees, its schedule perhaps excepted. */
  static Optional<PublishedRun> of(JsonNode config) {
    RunConfig run;
    try {
      run = JSON.treeToValue(config, RunConfig.class);
    } catch (JsonProcessingException e) {
      return Optional.empty(); // of another version
    }
    return Presets.all().stream()
        .filter(preset -> preset.publishedError() != null && preset.dataset().equals(run.training().dataset()))
        .flatMap(preset -> compare(preset, run).stream())
        .findFirst();
  }

  private static Optional<PublishedRun> compare(Preset preset, RunConfig config) {
    boolean schedule = true;
    RunConfig recipe = preset.runConfig(DataSets.info(preset.dataset())).on(config.device());
    for (Settings.Change change : Settings.changes(recipe, config)) {
      if (!NO_PART_OF_A_RECIPE.contains(change.name()) && !SCHEDULE.contains(change.name())) {
        return Optional.empty();
      }
      schedule &= !SCHEDULE.contains(change.name());
    }
    return Optional.of(new PublishedRun(preset, schedule));
  }
}
