package dev.layerwise.cli;

import dev.layerwise.LayerwiseException;
import dev.layerwise.recipe.TextTable;
import dev.layerwise.report.RunFinder;
import dev.layerwise.report.RunSummary;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Lists runs. */
@Command(
    name = "runs",
    description = {
      "Lists the runs below a folder, with their states, settings and errors.",
      "'best' is the test error after the epoch with the smallest validation error or, without --validation, with the smallest"
          + " test error; 'validation' is the error of the same epoch on the images held out. Dates are those of the last"
          + " finished epoch. A damaged run is named on stderr and left out."
    })
final class RunsCommand implements Callable<Integer> {
  private static final String NONE = "–";
  private static final DateTimeFormatter LOCAL_TIME =
      DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm", Locale.ROOT).withZone(ZoneId.systemDefault());

  /** What is shown of a run: how it is sorted, and what a table says of it. */
  private enum Column {
    NAME(RunSummary::name, RunSummary::name),
    STATE(RunSummary::state, RunsCommand::stateInWords),
    DATASET(RunSummary::dataset, RunSummary::dataset),
    MODEL(RunSummary::model, RunSummary::model),
    LOSS(RunSummary::loss, RunSummary::loss),
    EPOCHS(RunSummary::epochs, run -> run.epochs() == null ? NONE : run.epochs().toString()),
    BEST(RunSummary::bestTestError, run -> percent(run.bestTestError())),
    LAST(RunSummary::lastTestError, run -> percent(run.lastTestError())),
    VALIDATION(RunSummary::validationError, run -> percent(run.validationError())),
    TIME(RunSummary::seconds, RunSummary::timeInWords),
    DATE(RunSummary::date, run -> LOCAL_TIME.format(Instant.parse(run.date())));

    private final Function<RunSummary, Object> value;
    private final Function<RunSummary, String> text;

    Column(Function<RunSummary, Object> value, Function<RunSummary, String> text) {
      this.value = value;
      this.text = text;
    }

    String heading() {
      String name = name().toLowerCase(Locale.ROOT);
      return this == BEST || this == LAST || this == VALIDATION ? name + " %" : name;
    }

    /** Runs that lack the value come last, whichever way the others are sorted. */
    @SuppressWarnings("unchecked") // the values of a column are all of one type
    Comparator<RunSummary> order(boolean reverse) {
      Comparator<Object> natural = (one, other) -> ((Comparable<Object>) one).compareTo(other);
      return Comparator.comparing(value, Comparator.nullsLast(reverse ? natural.reversed() : natural));
    }
  }

  /** Candidates for completion and help. */
  static final class Columns extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Columns() {
      super(Stream.of(Column.values()).map(column -> column.name().toLowerCase(Locale.ROOT)).toList());
    }
  }

  @Mixin(name = OutputOptions.NAME)
  private OutputOptions output;

  @Parameters(
      paramLabel = "DIR",
      arity = "0..1",
      defaultValue = "runs",
      description = "The folder to search, and the folders in it. Default: ${DEFAULT-VALUE}.")
  private Path folder;

  @Option(
      names = "--sort",
      paramLabel = "COLUMN",
      defaultValue = "name",
      completionCandidates = Columns.class,
      description = "Sort by one of ${COMPLETION-CANDIDATES}. Runs without a value come last. Default: ${DEFAULT-VALUE}.")
  private String sort;

  @Option(names = "--reverse", description = "Sort from the largest to the smallest. Default: off.")
  private boolean reverse;

  @Option(names = "--csv", description = "Print comma-separated values, errors in percent. Default: off.")
  private boolean csv;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    sort = sort.toLowerCase(Locale.ROOT);
    Checks.oneOf("--sort", sort, new Columns());
    Checks.usage(!csv || !output.json, "--csv and --json exclude each other");
    List<RunSummary> runs = new ArrayList<>();
    PrintWriter err = Quiet.errors(spec.commandLine().getErr());
    for (Path run : RunFinder.findAll(folder).folders()) {
      try {
        runs.add(RunSummary.read(run, folder));
      } catch (LayerwiseException e) {
        err.println("layerwise: " + e.getMessage() + "; the run is left out");
        err.flush();
      }
    }
    runs.sort(Column.valueOf(sort.toUpperCase(Locale.ROOT)).order(reverse));
    print(runs, spec.commandLine().getOut());
    return 0;
  }

  private void print(List<RunSummary> runs, PrintWriter out) {
    if (output.json) {
      runs.forEach(run -> JsonLines.print(out, "run", run));
    } else if (csv) {
      out.println(
          Csv.line(
              List.of(
                  "name", "state", "dataset", "model", "loss", "epoch", "epochs", "best_test_error", "last_test_error",
                  "validation_error", "seconds", "date")));
      runs.forEach(run -> out.println(Csv.line(values(run))));
    } else {
      List<Column> columns =
          Stream.of(Column.values())
              .filter(column -> column != Column.VALIDATION || runs.stream().anyMatch(run -> run.validationError() != null))
              .toList();
      TextTable table =
          new TextTable(
              columns.stream().map(Column::heading).toList(),
              runs.stream().map(run -> columns.stream().map(column -> column.text.apply(run)).toList()).toList());
      out.print(table.aligned());
    }
    out.flush();
  }

  private static List<String> values(RunSummary run) {
    return Stream.of(
            run.name(), run.state(), run.dataset(), run.model(), run.loss(), run.epoch(), run.epochs(), run.bestTestError(),
            run.lastTestError(), run.validationError(), run.seconds(), run.date())
        .map(value -> value == null ? "" : value.toString())
        .toList();
  }

  private static String stateInWords(RunSummary run) {
    return run.state().equals("finished") ? run.state()
        : run.state() + " at epoch " + run.epoch() + " of " + Checks.or(run.epochs(), "?");
  }

  private static String percent(Double error) {
    return error == null ? NONE : String.format(Locale.ROOT, "%.2f", error);
  }
}
