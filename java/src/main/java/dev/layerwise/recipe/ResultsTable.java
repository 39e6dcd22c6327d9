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
    List<List<String>> lines = cells();
    List<Integer> widths = new ArrayList<>();
    for (int column = 0; column < HEADINGS.size(); column++) {
      int at = column;
      widths.add(lines.stream().mapToInt(line -> line.get(at).length()).max().orElse(0));
    }
    StringBuilder text = new StringBuilder(title).append('\n');
    for (List<String> line : lines) {
      StringBuilder row = new StringBuilder();
      for (int column = 0; column < line.size(); column++) {
        row.append(String.format(Locale.ROOT, "%-" + widths.get(column) + "s  ", line.get(column)));
      }
      text.append(row.toString().stripTrailing()).append('\n');
    }
    return text.append(note()).append('\n').toString();
  }

  /** As a Markdown section. */
  public String toMarkdown() {
    List<List<String>> lines = cells();
    StringBuilder text = new StringBuilder("## ").append(title).append("\n\n");
    for (int i = 0; i < lines.size(); i++) {
      text.append("| ").append(String.join(" | ", lines.get(i))).append(" |\n");
      if (i == 0) {
        text.append("| --- ".repeat(HEADINGS.size())).append("|\n");
      }
    }
    return text.append('\n').append(note()).append('\n').toString();
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

  private List<List<String>> cells() {
    List<List<String>> lines = new ArrayList<>();
    lines.add(HEADINGS);
    for (Measurement row : rows) {
      String deviation = row.standardDeviation() == null ? "" : " ± " + hundredths(row.standardDeviation());
      lines.add(
          List.of(
              row.preset(),
              hundredths(row.mean()) + deviation,
              row.publishedError() == null ? "–" : hundredths(row.publishedError()),
              Integer.toString(row.seeds().size()),
              Integer.toString(row.epochs()),
              duration(row.seconds())));
    }
    return lines;
  }

  private static String hundredths(double value) {
    return String.format(Locale.ROOT, "%.2f", value);
  }

  private static String duration(double seconds) {
    long minutes = Math.round(seconds / 60);
    return seconds < 600
        ? String.format(Locale.ROOT, "%.1f s", seconds)
        : String.format(Locale.ROOT, "%d h %02d min", minutes / 60, minutes % 60);
  }
}
