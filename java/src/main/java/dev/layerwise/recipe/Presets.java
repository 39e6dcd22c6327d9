package dev.layerwise.recipe;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The published runs (Nøkland and Eidnes 2019, arXiv 1901.06656): every row of its result tables, and its four runs
 * without backpropagation.
 */
public final class Presets {
  private static final String RESOURCE = "presets.json";
  private static final List<Preset> ALL = read();

  private Presets() {}

  private static List<Preset> read() {
    try (InputStream in = Presets.class.getResourceAsStream(RESOURCE)) {
      return List.of(new ObjectMapper().readValue(in, Preset[].class));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** All of them, by data set and network. */
  public static List<Preset> all() {
    return ALL;
  }

  /** Their names, and those of their fast counterparts. */
  public static List<String> names() {
    return Stream.concat(ALL.stream(), ALL.stream().map(Preset::fast)).map(Preset::name).toList();
  }

  /** The one of a name; a name with {@link Preset#FAST} at its end is that of {@link Preset#fast()}. */
  public static Optional<Preset> find(String name) {
    return ALL.stream()
        .filter(preset -> name.equals(preset.name()) || name.equals(preset.name() + Preset.FAST))
        .findFirst()
        .map(preset -> name.equals(preset.name()) ? preset : preset.fast());
  }

  /** The data sets that there are published runs on. */
  public static List<String> datasets() {
    return ALL.stream().map(Preset::dataset).distinct().toList();
  }

  /**
   * The networks (see {@link Preset#network()}) that there are published runs of.
   *
   * @param dataset on this one only; {@code null}: on any
   */
  public static List<String> networks(String dataset) {
    return ALL.stream()
        .filter(preset -> dataset == null || preset.dataset().equals(dataset))
        .map(Preset::network)
        .distinct()
        .toList();
  }
}
