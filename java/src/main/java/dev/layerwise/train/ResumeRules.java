package dev.layerwise.train;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** A resumed run keeps its configuration, or it would not end as it would have without the stop. */
public final class ResumeRules {
  private static final ObjectMapper JSON = new ObjectMapper();

  private ResumeRules() {}

  /** What would be changed that a resumed run keeps: all but the number of epochs and the patience. */
  public static List<String> forbidden(RunConfig recorded, RunConfig wanted) {
    List<String> changed = changes(recorded, wanted);
    changed.removeIf(change -> change.startsWith("epochs ") || change.startsWith("patience "));
    return changed;
  }

  /** How two configurations differ, each entry of the form "NAME from VALUE to VALUE", but for long values. */
  public static List<String> changes(RunConfig recorded, RunConfig wanted) {
    List<String> changed = new ArrayList<>();
    JsonNode before = JSON.valueToTree(recorded);
    JsonNode after = JSON.valueToTree(wanted);
    for (String part : fields(before, after)) {
      for (String name : fields(before.path(part), after.path(part))) {
        JsonNode old = before.path(part).path(name);
        JsonNode now = after.path(part).path(name);
        if (!old.equals(now)) {
          boolean blocks = old.isObject() || now.isObject();
          changed.add(blocks ? "the network's blocks" : name + " from " + said(old) + " to " + said(now));
        }
      }
    }
    return changed;
  }

  private static Set<String> fields(JsonNode one, JsonNode other) {
    Set<String> names = new LinkedHashSet<>();
    one.fieldNames().forEachRemaining(names::add);
    other.fieldNames().forEachRemaining(names::add);
    return names;
  }

  private static String said(JsonNode value) {
    return value.isMissingNode() ? "none" : value.toString();
  }
}
