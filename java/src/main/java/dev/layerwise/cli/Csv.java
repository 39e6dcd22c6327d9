package dev.layerwise.cli;

import java.util.List;
import java.util.stream.Collectors;

/** Comma-separated values in the format of RFC 4180. */
final class Csv {
  private Csv() {}

  /** A line without its line break. */
  static String line(List<String> values) {
    return values.stream().map(Csv::quoted).collect(Collectors.joining(","));
  }

  private static String quoted(String value) {
    boolean plain = value.chars().noneMatch(c -> c == ',' || c == '"' || c == '\n' || c == '\r');
    return plain ? value : '"' + value.replace("\"", "\"\"") + '"';
  }
}
