package dev.layerwise.data.stream;

import dev.layerwise.files.FileNames;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What listing folders left out, counted by the reason. */
final class LeftOut {
  private static final int MOST_EXAMPLES = 3;

  /** Why something was left out, in the singular and in the plural. */
  enum Reason {
    OTHER_KIND("image of a kind that is not read", "images of kinds that are not read"),
    NO_IMAGE("other file", "other files"),
    BESIDE_CLASSES("image beside the classes' folders", "images beside the classes' folders"),
    SYSTEM("hidden or system file or folder", "hidden or system files and folders"),
    SPECIAL("pipe or device", "pipes or devices"),
    UNREADABLE("folder that cannot be read", "folders that cannot be read"),
    LOOP("link to a folder that it is in", "links to folders that they are in"),
    NOWHERE("link that leads nowhere", "links that lead nowhere");

    private final String one;
    private final String many;

    Reason(String one, String many) {
      this.one = one;
      this.many = many;
    }
  }

  private final Map<Reason, Integer> counts = new EnumMap<>(Reason.class);
  private final Map<Reason, Set<String>> examples = new EnumMap<>(Reason.class);

  void add(Reason reason, Path path) {
    add(reason, FileNames.text(path));
  }

  private void add(Reason reason, String example) {
    counts.merge(reason, 1, Integer::sum);
    Set<String> shown = examples.computeIfAbsent(reason, key -> new LinkedHashSet<>());
    if (shown.size() <= MOST_EXAMPLES) { // one more than is shown says that there are others
      shown.add(example);
    }
  }

  /** A file whose name is not of those that are read. */
  void addFile(Path file) {
    String name = file.getFileName().toString();
    String ending = ImageFormat.ending(name);
    add(ImageFormat.isImageOfOtherKind(name) ? Reason.OTHER_KIND : Reason.NO_IMAGE,
        ending.isEmpty() ? FileNames.text(file.getFileName()) : ending);
  }

  boolean has(Reason reason) {
    return counts.containsKey(reason);
  }

  boolean isEmpty() {
    return counts.isEmpty();
  }

  /** How much was left out and why. */
  String clause() {
    List<String> parts = new ArrayList<>();
    counts.forEach((reason, count) -> {
      List<String> shown = new ArrayList<>(examples.get(reason));
      String others = shown.size() > MOST_EXAMPLES ? " and others" : "";
      parts.add(count + " " + (count == 1 ? reason.one : reason.many) + " ("
          + String.join(", ", shown.subList(0, Math.min(shown.size(), MOST_EXAMPLES))) + others + ")");
    });
    return String.join("; ", parts);
  }
}
