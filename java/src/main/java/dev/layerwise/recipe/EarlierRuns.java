package dev.layerwise.recipe;

import dev.layerwise.LayerwiseException;
import dev.layerwise.run.ResumeRules;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.RunDirectory;
import dev.layerwise.settings.SettingsException;
import java.nio.file.Path;
import java.util.List;

/** What must hold for a run that an earlier command has left, before its result gets into a table. */
public final class EarlierRuns {
  private EarlierRuns() {}

  /** Throws if a folder holds a model, but nothing that says how it was trained. */
  public static void requireCheckpoint(Path home) {
    if (!RunDirectory.holdsCheckpoint(home)) {
      throw new LayerwiseException(
          home + " holds a model without its checkpoint, which says how it was trained; remove that folder, or choose"
              + " another folder");
    }
  }

  /** Throws {@link SettingsException} for another configuration: results of different ones must not get into one table. */
  public static void requireSame(Path home, RunConfig recorded, RunConfig wanted) {
    List<String> changes = ResumeRules.changes(recorded, wanted);
    if (!changes.isEmpty()) {
      throw new SettingsException(
          home + " holds a run of another configuration, which would change " + String.join(", ", changes)
              + "; give the settings that it was started with, or choose another {out}");
    }
  }
}
