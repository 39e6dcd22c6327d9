package dev.layerwise.cli;

import dev.layerwise.LayerwiseException;
import dev.layerwise.recipe.Preset;
import dev.layerwise.recipe.Presets;
import java.util.ArrayList;

/** Names of published runs: candidates for completion, and what they stand for. */
final class PresetNames extends ArrayList<String> {
  private static final long serialVersionUID = 1L;

  PresetNames() {
    super(Presets.names());
  }

  /** The preset of a name that was given as {@code --preset}; throws unless this version can train it. */
  static Preset require(String name) {
    Preset preset =
        Presets.find(name)
            .orElseThrow(
                () -> new Checks.UsageException("--preset knows no '" + name + "'; 'layerwise presets' lists them"));
    requireTrainable(preset);
    return preset;
  }

  /** Throws unless this version can train it. */
  static void requireTrainable(Preset preset) {
    preset
        .obstacle()
        .ifPresent(
            obstacle -> {
              throw new LayerwiseException(
                  "the preset " + preset.name() + " cannot be trained: " + obstacle
                      + "; 'layerwise presets' shows which can");
            });
  }
}
