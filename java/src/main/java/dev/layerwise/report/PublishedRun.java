package dev.layerwise.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.data.DataSets;
import dev.layerwise.recipe.Preset;
import dev.layerwise.recipe.Presets;
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
    if (config.hasNonNull("init")) {
      return Optional.empty(); // it did not start from random weights
    }
    String dataset = config.path("training").path("dataset").asText();
    return Presets.all().stream()
        .filter(preset -> preset.publishedError() != null && preset.dataset().equals(dataset))
        .flatMap(preset -> compare(preset, config).stream())
        .findFirst();
  }

  private static Optional<PublishedRun> compare(Preset preset, JsonNode config) {
    JsonNode recipe = asRead(preset);
    boolean schedule = true;
    for (String part : new String[] {"model", "optimizer", "training"}) {
      for (String name : Configuration.names(recipe.path(part), config.path(part))) {
        if (NO_PART_OF_A_RECIPE.contains(name) || recipe.path(part).path(name).equals(config.path(part).path(name))) {
          continue;
        }
        if (!SCHEDULE.contains(name)) {
          return Optional.empty();
        }
        schedule = false;
      }
    }
    return Optional.of(new PublishedRun(preset, schedule));
  }

  /** As a file would have it: numbers that are written alike are equal then. */
  private static JsonNode asRead(Preset preset) {
    try {
      return JSON.readTree(JSON.writeValueAsString(preset.runConfig(DataSets.info(preset.dataset()))));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
