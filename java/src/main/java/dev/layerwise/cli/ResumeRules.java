package dev.layerwise.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.train.RunConfig;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** A resumed run keeps its configuration, or it would not end as it would have without the stop. */
final class ResumeRules {
  private static final ObjectMapper JSON = new ObjectMapper();

  private ResumeRules() {}

  /** Throws a usage error that names what the options would change, but for more epochs and another patience. */
  static void check(RunConfig recorded, RunConfig wanted) {
    List<String> changed = changes(recorded, wanted);
    changed.removeIf(change -> change.startsWith("epochs ") || change.startsWith("patience "));
    Checks.usage(
        changed.isEmpty(),
        "a resumed run keeps its configuration; the options would change " + String.join(", ", changed));
  }

  /** How two configurations differ, each entry of the form "NAME from VALUE to VALUE", but for long values. */
  static List<String> changes(RunConfig recorded, RunConfig wanted) {
    List<String> changed = new ArrayList<>();
    JsonNode before = JSON.valueToTree(recorded);
    JsonNode after = JSON.valueToTree(wanted);
    before.fieldNames().forEachRemaining(part -> {
      Set<String> names = new LinkedHashSet<>();
      before.get(part).fieldNames().forEachRemaining(names::add);
      after.path(part).fieldNames().forEachRemaining(names::add);
      for (String name : names) {
        JsonNode old = before.get(part).path(name);
        JsonNode now = after.path(part).path(name);
        if (!old.equals(now)) {
          boolean blocks = old.isObject() || now.isObject();
          changed.add(blocks ? "the network's blocks" : name + " from " + said(old) + " to " + said(now));
        }
      }
    });
    return changed;
  }

  private static String said(JsonNode value) {
    return value.isMissingNode() ? "none" : value.toString();
  }
}
