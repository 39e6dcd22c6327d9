package dev.layerwise.cli;

import dev.layerwise.recipe.Preset;
import dev.layerwise.recipe.Presets;
import java.util.ArrayList;

/** The names of published runs, for completion, and their presets. */
final class PresetNames extends ArrayList<String> {
  private static final long serialVersionUID = 1L;

  PresetNames() {
    super(Presets.names());
  }

  /** The preset with the name given as {@code --preset}. */
  static Preset require(String name) {
    return Presets.find(name)
        .orElseThrow(() -> new Checks.UsageException("--preset: unknown preset '" + name + "'; see 'layerwise presets'"));
  }
}
