package dev.layerwise.sweep;

import dev.layerwise.settings.SettingsException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;

/**
 * One value for each option of a sweep.
 *
 * @param values by the options' names without dashes, in the order in which they were given
 */
public record Combination(Map<String, String> values) {
  private static final int LONGEST = 120;

  /** More are not made: each is a run at least. */
  public static final int MOST = 100_000;

  /** Copies the values. */
  public Combination {
    values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
  }

  /**
   * All combinations of lists, each with every sample of what is drawn; equal ones once. The first samples of a seed are the
   * same, however many are drawn.
   *
   * @param grid lists such as {@code lr=1e-3,2e-3}
   * @param random distributions such as {@code lr=log:1e-4:1e-2}
   * @param samples how many are drawn, if anything is
   * @throws SettingsException if one of them cannot be read, or an option is in two of them
   */
  public static List<Combination> of(List<String> grid, List<String> random, int samples, long seed) {
    List<OptionValues> lists = grid.stream().map(OptionValues::grid).toList();
    List<OptionValues> drawn = random.stream().map(OptionValues::random).toList();
    Set<String> names = new LinkedHashSet<>();
    for (List<OptionValues> options : List.of(lists, drawn)) {
      for (OptionValues option : options) {
        if (!names.add(option.option())) {
          throw new SettingsException(
              "the option " + option.option() + " is swept twice; give all its values at once");
        }
      }
    }
    long count = drawn.isEmpty() ? 1 : samples;
    for (OptionValues option : lists) {
      count *= option.list().size();
      if (count > MOST) {
        throw new SettingsException("there are more than " + MOST + " combinations; give fewer values");
      }
    }
    Random numbers = new Random(seed);
    Set<Combination> all = new LinkedHashSet<>();
    for (int sample = 0; sample < (drawn.isEmpty() ? 1 : samples); sample++) {
      Map<String, String> values = new LinkedHashMap<>();
      drawn.forEach(option -> values.put(option.option(), option.distribution().draw(numbers)));
      List<Map<String, String>> open = List.of(Map.of());
      for (OptionValues option : lists) {
        open = open.stream().flatMap(start -> option.list().stream().map(value -> with(start, option.option(), value))).toList();
      }
      for (Map<String, String> start : open) {
        Map<String, String> whole = new LinkedHashMap<>(start);
        whole.putAll(values);
        all.add(new Combination(whole));
      }
    }
    return new ArrayList<>(all);
  }

  private static Map<String, String> with(Map<String, String> start, String option, String value) {
    Map<String, String> longer = new LinkedHashMap<>(start);
    longer.put(option, value);
    return longer;
  }

  /** "lr=1e-3, beta=0.9". */
  @Override
  public String toString() {
    return values.entrySet().stream().map(Object::toString).collect(Collectors.joining(", "));
  }

  /** The name of its folder: what it is, as far as it can stand in a file's name. */
  public String folderName() {
    String text = String.join(",", values.entrySet().stream().map(Object::toString).toList());
    String name = text.replaceAll("[^A-Za-z0-9._+=,-]", "_");
    if (name.equals(text) && name.length() <= LONGEST) {
      return name;
    }
    CRC32C sum = new CRC32C();
    sum.update(text.getBytes(StandardCharsets.UTF_8));
    return name.substring(0, Math.min(name.length(), LONGEST)) + String.format(Locale.ROOT, "-%08x", sum.getValue());
  }
}
