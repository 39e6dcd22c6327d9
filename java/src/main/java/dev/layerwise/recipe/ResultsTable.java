package dev.layerwise.recipe;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Our results beside the published ones.
 *
 * @param title what was trained
 * @param version of the program
 * @param device on which it ran
 * @param precision {@code f32}, {@code bf16} or {@code f64}
 * @param threads computing threads of each process
 * @param processes how many trained together; {@code null}: one
 * @param processor the features of the processor that the program makes use of
 * @param epochsScale factor of all epoch numbers; the published runs have 1
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record ResultsTable(
    String title, String version, String device, String precision, int threads,
    @JsonInclude(JsonInclude.Include.NON_NULL) Integer processes, String processor, double epochsScale, List<Measurement> rows) {
  private static final List<String> HEADINGS =
      List.of("recipe", "test error %", "published %", "seeds", "epochs", "time");

  /** As a table for a terminal, with a line that says where it was measured. */
  public String toText() {
    return title + '\n' + table().aligned() + note() + '\n';
  }

  /** As a Markdown section. */
  public String toMarkdown() {
    return "## " + title + "\n\n" + table().markdown() + '\n' + note() + '\n';
  }

  private String note() {
    String scaled =
        epochsScale == 1
            ? ""
            : " Epochs times " + epochsScale + ": the published numbers are of longer or shorter runs.";
    return String.format(
        Locale.ROOT, "Mean ± standard deviation over seeds of the test error after the last epoch; time of all runs together."
            + " Layerwise %s, %s in %s, threads: %d, %sprocessor: %s.%s",
        version, device, precision, threads, processes == null ? "" : "processes: " + processes + ", ", processor,
        scaled);
  }

  private TextTable table() {
    List<List<String>> lines = new ArrayList<>();
    for (Measurement row : rows) {
      lines.add(
          List.of(
              row.preset(),
              TextTable.spread(row.mean(), row.standardDeviation()),
              row.publishedError() == null ? "–" : TextTable.hundredths(row.publishedError()),
              Integer.toString(row.seeds().size()),
              Integer.toString(row.epochs()),
              TextTable.duration(row.seconds())));
    }
    return new TextTable(HEADINGS, lines);
  }
}
