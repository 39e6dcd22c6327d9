package dev.layerwise.report;

import dev.layerwise.run.EpochReport;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.Function;

/** What each run is and what it gave, the published error beside it. */
final class OverviewSection {
  private static final String CAPTION = "The runs, with the test errors of their models, the smallest of their epochs, and those published";

  private OverviewSection() {}

  private record Column(String heading, Function<Run, String> cell) {}

  private static final List<Column> COLUMNS =
      List.of(
          new Column("Data", run -> run.setting("training", "dataset")),
          new Column("Network", run -> run.setting("model", "model")),
          new Column("Loss", Run::loss),
          new Column("Epochs", OverviewSection::epochs),
          new Column("Smallest validation error, %", run -> orDash(run.validationError())),
          new Column("Test error, %", run -> Numbers.percent(run.modelEpoch().map(EpochReport::testError).orElse(null))),
          new Column(
              "Smallest test error, %",
              run -> Numbers.percent(run.epochs().stream().map(EpochReport::testError).min(Double::compare).orElse(null))),
          new Column(
              "Published, %",
              run ->
                  Numbers.percent(
                      PublishedRun.of(run.config()).map(published -> published.preset().publishedError()).orElse(null))),
          new Column("Images/s", run -> Numbers.count(run.imagesPerSecond())),
          new Column("Time", run -> Numbers.duration(run.last().map(EpochReport::seconds).orElse(Double.NaN))),
          new Column(
              "Started (UTC)",
              run -> run.sessions().isEmpty() ? "–" : SessionsTable.time(run.sessions().get(0))));

  /** @param leftOut a sentence for each run that is not among these */
  static void write(Markup page, List<Run> runs, List<String> leftOut) {
    Map<String, List<String>> columns = new LinkedHashMap<>();
    COLUMNS.forEach(column -> columns.put(column.heading(), runs.stream().map(column.cell()).toList()));
    columns.values().removeIf(cells -> cells.stream().allMatch("–"::equals)); // nothing to say of any run
    List<BestRun> best = BestRun.of(runs);
    Tables.open(page, CAPTION, "data cards overview");
    List<String> headings = new ArrayList<>(List.of("Run"));
    headings.addAll(columns.keySet());
    Tables.writeHeadings(page, headings);
    page.open("tbody");
    List<String> notes = new ArrayList<>(leftOut);
    best.forEach(one -> notes.add(one.reason()));
    for (int i = 0; i < runs.size(); i++) {
      Run run = runs.get(i);
      int number = i;
      boolean isBest = best.stream().anyMatch(one -> one.number() == number);
      page.open("tr", "class", isBest ? "best" : "other");
      Tables.openRunCell(page, i, run);
      if (isBest) {
        page.text(" ").element("strong", "best", "class", "badge");
      }
      page.close();
      columns.forEach((heading, cells) -> Tables.writeCell(page, heading, cells.get(number)));
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

  private static String orDash(OptionalDouble error) {
    return error.isPresent() ? Numbers.percent(error.getAsDouble()) : "–";
  }

  private static String epochs(Run run) {
    String wanted = run.setting("training", "epochs");
    String done = run.last().map(EpochReport::epoch).orElse(0) + " of " + wanted;
    return run.endedEarly() ? done + ", ended early" : run.isFinished() ? wanted : done + ", unfinished";
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
