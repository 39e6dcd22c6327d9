package dev.layerwise.run;

import dev.layerwise.LayerwiseException;
import dev.layerwise.data.ClassNames;
import dev.layerwise.data.DataSet;
import dev.layerwise.settings.Schedule;
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

  /**
   * Checks that a run can go on.
   *
   * @param images of the data
   * @throws OtherImagesException if images of the data set were added, removed or changed since the run was started
   * @throws LayerwiseException if the data set is not the run's, or the run has come further than it is to go
   */
  public static void check(RecordedRun from, RunConfig wanted, DataSet<?> data, RunImages images) {
    String recorded = from.config().training().dataset();
    if (!data.info().name().equals(recorded)) {
      throw new LayerwiseException(
          "the run trains on the data set '" + recorded + "', not on '" + data.info().name()
              + "'; resume it with its own, or start a new run");
    }
    from.config().model().requireFits(
        "the run", data.train().shape(), data.info().classes(), data.info().title(), "resume it with its own data set");
    if (from.classNames() != null) {
      ClassNames.requireSame(from.classNames(), data.info(), "the run");
    }
    if (from.images() != null) {
      from.images().requireSame(images);
    }
    Schedule schedule = wanted.training().schedule();
    if (schedule.dependsOnEpochs() && !schedule.epochs().equals(from.config().training().schedule().epochs())) {
      throw new LayerwiseException(
          "the learning rate of this run goes by its number of epochs, " + from.config().training().schedule().epochs()
              + ", which a resumed run therefore keeps; to train longer, start a new run from its weights");
    }
    int begun = from.progress().epoch() - (from.progress().images() == 0 ? 1 : 0);
    int epochs = schedule.epochs();
    if (epochs < begun) {
      throw new LayerwiseException(
          "the run has begun its epoch " + begun + " already, more than the " + epochs + " asked for");
    }
  }

  /** How two configurations differ, each entry of the form "NAME from VALUE to VALUE", but for long values. */
  public static List<String> changes(RunConfig recorded, RunConfig wanted) {
    return Settings.changes(recorded, wanted).stream().map(Settings.Change::toString).toList();
  }
}
