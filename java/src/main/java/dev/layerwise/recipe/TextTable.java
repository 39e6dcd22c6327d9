package dev.layerwise.recipe;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * A table of words and numbers.
 *
 * @param headings of the columns
 * @param rows with a cell for each column
 */
public record TextTable(List<String> headings, List<List<String>> rows) {
  /** With columns as wide as they must be, for a terminal; ends with a line break. */
  public String aligned() {
    List<List<String>> lines = lines();
    int[] widths = new int[headings.size()];
    for (int column = 0; column < widths.length; column++) {
      int at = column;
      widths[column] = lines.stream().mapToInt(line -> line.get(at).length()).max().orElse(0);
    }
    StringBuilder text = new StringBuilder();
    for (List<String> line : lines) {
      StringBuilder row = new StringBuilder();
      for (int column = 0; column < widths.length; column++) {
        String cell = line.get(column);
        row.append(cell).append(" ".repeat(widths[column] - cell.length() + 2));
      }
      text.append(row.toString().stripTrailing()).append('\n');
    }
    return text.toString();
  }

  /** As a table in Markdown; ends with a line break. */
  public String markdown() {
    List<List<String>> lines = lines();
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < lines.size(); i++) {
      text.append("| ").append(String.join(" | ", lines.get(i))).append(" |\n");
      if (i == 0) {
        text.append("| --- ".repeat(headings.size())).append("|\n");
      }
    }
    return text.toString();
  }

  /** "1.23 ± 0.04"; without a deviation, which is {@code null} then, "1.23". */
  public static String spread(double mean, Double standardDeviation) {
    return hundredths(mean) + (standardDeviation == null ? "" : " ± " + hundredths(standardDeviation));
  }

  /** With two digits after the point. */
  public static String hundredths(double value) {
    return String.format(Locale.ROOT, "%.2f", value);
  }

  /** 12.3 s, or 2 h 07 min from ten minutes on. */
  public static String duration(double seconds) {
    long minutes = Math.round(seconds / 60);
    return seconds < 600
        ? String.format(Locale.ROOT, "%.1f s", seconds)
        : String.format(Locale.ROOT, "%d h %02d min", minutes / 60, minutes % 60);
  }

  private List<List<String>> lines() {
    List<List<String>> lines = new ArrayList<>();
    lines.add(headings);
    lines.addAll(rows);
    return lines;
  }
}
