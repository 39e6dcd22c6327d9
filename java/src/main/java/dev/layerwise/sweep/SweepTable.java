package dev.layerwise.sweep;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.recipe.TextTable;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/**
 * The combinations of a sweep, the best first.
 *
 * @param title what was trained
 * @param version of the program
 * @param device on which it ran, with its precision and threads
 * @param sortedBy {@code validation} or {@code test}: the error that decides
 * @param rows of combinations with a finished run
 * @param failed the runs that failed, with the reasons
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record SweepTable(
    String title, String version, String device, String sortedBy, List<SweepRow> rows, List<String> failed) {
  private static final String VALIDATION = "validation";

  /** A table with the rows in their order: by validation error if all have one. */
  static SweepTable of(String title, String version, String device, List<SweepRow> rows, List<String> failed) {
    boolean validated = !rows.isEmpty() && rows.stream().allMatch(row -> row.validationErrors() != null);
    List<SweepRow> sorted = new ArrayList<>(rows);
    sorted.sort(Comparator.comparingDouble(validated ? SweepRow::validationMean : SweepRow::testMean)); // NaN last
    return new SweepTable(title, version, device, validated ? VALIDATION : "test", sorted, failed);
  }

  /** As a table for a terminal, with lines that say how it is sorted and where it was measured. */
  public String toText() {
    return title + '\n' + table().aligned() + note() + '\n';
  }

  /** As a Markdown section. */
  public String toMarkdown() {
    StringBuilder text = new StringBuilder("## ").append(title).append("\n\n").append(table().markdown()).append('\n');
    text.append(note()).append('\n');
    failed.forEach(run -> text.append("\nFailed: ").append(run).append('\n'));
    return text.toString();
  }

  private TextTable table() {
    boolean validated = rows.stream().anyMatch(row -> row.validationErrors() != null);
    List<String> headings = new ArrayList<>();
    rows.stream().findFirst().ifPresent(row -> headings.addAll(row.settings().keySet()));
    headings.addAll(validated ? List.of("validation error %", "test error %") : List.of("test error %"));
    headings.addAll(List.of("seeds", "epochs", "time"));
    List<List<String>> lines = new ArrayList<>();
    for (SweepRow row : rows) {
      List<String> line = new ArrayList<>(row.settings().values());
      if (validated) {
        line.add(
            row.validationErrors() == null ? "–" : TextTable.spread(row.validationMean(), row.validationDeviation()));
      }
      line.add(TextTable.spread(row.testMean(), row.testDeviation()));
      line.add(Integer.toString(row.seeds().size()));
      line.add(Integer.toString(row.epochs()));
      line.add(TextTable.duration(row.seconds()));
      lines.add(line);
    }
    return new TextTable(headings, lines);
  }

  private String note() {
    String order =
        sortedBy.equals(VALIDATION)
            ? "Sorted by the mean validation error."
            : "Sorted by the mean test error, for want of validation errors: the smallest of several test errors is smaller than"
                + " what new images would show. Choose on images held out, with --validation 0.1.";
    return String.format(
        Locale.ROOT, "Mean ± standard deviation over seeds of the errors of the models; time of all runs together. %s"
            + " Layerwise %s, %s.",
        order, version, device);
  }
}
