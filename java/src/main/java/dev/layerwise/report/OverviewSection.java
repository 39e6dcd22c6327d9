package dev.layerwise.report;

import dev.layerwise.run.EpochReport;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** What each run is and what it gave, the published error beside it. */
final class OverviewSection {
  private static final List<String> HEADINGS =
      List.of(
          "Run", "Data", "Network", "Loss", "Epochs", "Test error, %", "Smallest, %", "Published, %", "Images/s",
          "Time");

  private OverviewSection() {}

  static void write(Markup page, List<Run> runs) {
    Tables.open(
        page, "Errors: last, smallest, published", "data overview");
    Tables.writeHeadings(page, HEADINGS);
    page.open("tbody");
    List<String> notes = new ArrayList<>();
    for (int i = 0; i < runs.size(); i++) {
      Run run = runs.get(i);
      page.open("tr").open("th", "scope", "row");
      Figures.writeKey(page, Series.ofRun(i, run.name(), new double[0], new double[0]));
      page.text((i + 1) + " ").element("span", run.name()).close();
      cells(run).forEach(cell -> page.element("td", cell));
      page.close();
      notes.addAll(notes(run));
    }
    page.close();
    Tables.close(page);
    if (!notes.isEmpty()) {
      page.open("ul", "class", "notes");
      notes.forEach(note -> page.element("li", note));
      page.close();
    }
  }

  private static List<String> cells(Run run) {
    Optional<EpochReport> last = run.last();
    String wanted = run.setting("training", "epochs");
    return List.of(
        run.setting("training", "dataset"),
        run.setting("model", "model"),
        run.loss(),
        epochs(run, wanted),
        Numbers.percent(last.map(EpochReport::testError).orElse(null)),
        Numbers.percent(run.epochs().stream().map(EpochReport::testError).min(Double::compare).orElse(null)),
        Numbers.percent(
            PublishedRun.of(run.config()).map(published -> published.preset().publishedError()).orElse(null)),
        Numbers.count(run.imagesPerSecond()),
        Numbers.duration(last.map(EpochReport::seconds).orElse(Double.NaN)));
  }

  private static String epochs(Run run, String wanted) {
    String done = run.last().map(EpochReport::epoch).orElse(0) + " of " + wanted;
    return run.endedEarly() ? done + ", ended early" : run.isFinished() ? wanted : done;
  }

  private static List<String> notes(Run run) {
    List<String> notes = new ArrayList<>();
    if (run.remark() != null) {
      notes.add(run.name() + ": " + run.remark());
    }
    if (run.epochs().isEmpty()) {
      notes.add(run.name() + ": no epoch is finished yet.");
    }
    if (run.endedEarly()) {
      notes.add(
          String.format(
              Locale.ROOT,
              "%s: is finished; its patience of %s epochs ended it, for its %s error did not improve after epoch %d.",
              run.name(), run.setting("training", "patience"),
              run.best().orElseThrow().validationError() == null ? "test" : "validation",
              run.best().orElseThrow().epoch()));
    }
    PublishedRun.of(run.config()).ifPresent(published -> notes.add(note(run, published)));
    return notes;
  }

  private static String note(Run run, PublishedRun published) {
    int epochs = published.preset().schedule().epochs();
    String text =
        String.format(
            Locale.ROOT, "%s has the settings of the published run %s (%s %% after %d epochs)", run.name(),
            published.preset().name(), Numbers.percent(published.preset().publishedError()), epochs);
    int here = run.last().map(EpochReport::epoch).orElse(0);
    if (!published.schedule()) {
      return text + ", but another schedule: its error is after " + here + " epochs.";
    }
    return here == epochs ? text + "." : text + "; it has come to epoch " + here + ".";
  }
}
