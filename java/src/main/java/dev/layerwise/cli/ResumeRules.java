package dev.layerwise.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.train.RunConfig;
import java.util.ArrayList;
import java.util.List;

/** A resumed run keeps its configuration, or it would not end as it would have without the stop. */
final class ResumeRules {
  private static final ObjectMapper JSON = new ObjectMapper();

  private ResumeRules() {}

  /** Throws a usage error that names what the options would change; only more epochs are allowed. */
  static void check(RunConfig recorded, RunConfig wanted) {
    List<String> changed = changes(recorded, wanted);
    changed.removeIf(change -> change.startsWith("epochs "));
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
      before.get(part).fieldNames().forEachRemaining(name -> {
        JsonNode old = before.get(part).get(name);
        JsonNode now = after.path(part).path(name);
        if (!old.equals(now)) {
          changed.add(old.isObject() ? "the network's blocks" : name + " from " + old + " to " + now);
        }
      });
    });
    return changed;
  }
}
