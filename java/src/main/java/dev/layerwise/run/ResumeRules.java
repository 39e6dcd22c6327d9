package dev.layerwise.run;

import dev.layerwise.settings.Settings;
import java.util.List;

/** A resumed run keeps its configuration, or it would not end as it would have without the stop. */
public final class ResumeRules {
  private ResumeRules() {}

  /** What would be changed that a resumed run keeps. */
  public static List<String> forbidden(RunConfig recorded, RunConfig wanted) {
    return Settings.changes(recorded, wanted).stream()
        .filter(change -> !change.mayChange())
        .map(Settings.Change::toString)
        .toList();
  }

  /** How two configurations differ, each entry of the form "NAME from VALUE to VALUE", but for long values. */
  public static List<String> changes(RunConfig recorded, RunConfig wanted) {
    return Settings.changes(recorded, wanted).stream().map(Settings.Change::toString).toList();
  }
}
