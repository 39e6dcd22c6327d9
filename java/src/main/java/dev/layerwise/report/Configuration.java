package dev.layerwise.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** The settings of runs, side by side. */
final class Configuration {
  private static final int LONGEST = 60;

  private Configuration() {}

  /** Names of the fields of either object. */
  static Set<String> names(JsonNode one, JsonNode other) {
    Set<String> names = new LinkedHashSet<>();
    one.fieldNames().forEachRemaining(names::add);
    other.fieldNames().forEachRemaining(names::add);
    return names;
  }

  /** What differs between runs, and everything; for a single run everything. */
  static void write(Markup page, List<Run> runs) {
    Map<String, List<JsonNode>> settings = settings(runs);
    Map<String, List<JsonNode>> different = new LinkedHashMap<>(settings);
    different.values().removeIf(values -> Set.copyOf(values).size() == 1);
    settings.keySet().removeAll(different.keySet());
    if (runs.size() == 1) {
      Tables.write(page, "Configuration", List.of("Setting", runs.get(0).name()), rows(settings));
      return;
    }
    if (different.isEmpty()) {
      page.element("p", "All settings of these runs are the same.");
    } else {
      writeDifferent(page, runs, different);
    }
    List<List<String>> rows = new ArrayList<>();
    settings.forEach((name, values) -> rows.add(List.of(name, inWords(values.get(0)))));
    Tables.writeFolded(
        page, "Settings that all runs share", "Settings that all runs share", List.of("Setting", "Value"), rows);
  }

  /** A row for each run, so that the table is as wide for many runs as for two. */
  private static void writeDifferent(Markup page, List<Run> runs, Map<String, List<JsonNode>> settings) {
    List<String> names = List.copyOf(settings.keySet());
    Tables.open(page, "Settings that differ", "data cards");
    List<String> headings = new ArrayList<>(List.of("Run"));
    headings.addAll(names);
    Tables.writeHeadings(page, headings);
    page.open("tbody");
    for (int i = 0; i < runs.size(); i++) {
      page.open("tr");
      Tables.openRunCell(page, i, runs.get(i));
      page.close();
      for (String name : names) {
        Tables.writeCell(page, name, inWords(settings.get(name).get(i)));
      }
      page.close();
    }
    page.close();
    Tables.close(page);
  }

  /** Each setting's value in each run; a missing node where a run has none. */
  private static Map<String, List<JsonNode>> settings(List<Run> runs) {
    Set<String> parts = new LinkedHashSet<>();
    runs.forEach(run -> run.config().fieldNames().forEachRemaining(parts::add));
    Map<String, List<JsonNode>> settings = new LinkedHashMap<>();
    for (String part : parts) {
      Set<String> names = new LinkedHashSet<>();
      runs.forEach(run -> run.config().path(part).fieldNames().forEachRemaining(names::add));
      for (String name : names) {
        settings.put(
            part + "." + name, runs.stream().map(run -> run.config().path(part).path(name)).toList());
      }
    }
    return settings;
  }

  private static List<List<String>> rows(Map<String, List<JsonNode>> settings) {
    List<List<String>> rows = new ArrayList<>();
    settings.forEach(
        (name, values) -> {
          List<String> row = new ArrayList<>(List.of(name));
          values.forEach(value -> row.add(inWords(value)));
          rows.add(row);
        });
    return rows;
  }

  private static String inWords(JsonNode value) {
    if (value.isMissingNode() || value.isNull()) {
      return "–";
    }
    if (value.path("blocks").isArray()) {
      return "described by the user: " + value.path("blocks").size() + " blocks, " + digest(value.toString());
    }
    String text = value.isTextual() ? value.asText() : value.toString();
    return text.length() <= LONGEST ? text : text.substring(0, LONGEST) + "… " + digest(text);
  }

  /** By which long values that begin alike are told apart. */
  private static String digest(String text) {
    return String.format(Locale.ROOT, "#%08x", text.hashCode());
  }
}
