package dev.layerwise.cli;

import dev.layerwise.recipe.Preset;
import dev.layerwise.recipe.Presets;
import java.util.ArrayList;

/** Names of published runs: candidates for completion, and what they stand for. */
final class PresetNames extends ArrayList<String> {
  private static final long serialVersionUID = 1L;

  PresetNames() {
    super(Presets.names());
  }

  /** The preset of a name that was given as {@code --preset}. */
  static Preset require(String name) {
    return Presets.find(name)
        .orElseThrow(() -> new Checks.UsageException("--preset: unknown preset '" + name + "'; 'layerwise presets' lists them"));
  }
}
