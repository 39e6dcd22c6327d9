package dev.layerwise.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.layerwise.LayerwiseException;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.Augmentation;
import dev.layerwise.settings.Batches;
import dev.layerwise.settings.Freezing;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Schedule;
import dev.layerwise.settings.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The library's callers know no command line: what it says names settings and never options. */
class LibraryErrorsTest {
  /** An option in a text; {@code --shade:} and the like are style sheets' variables. */
  private static final Pattern OPTION = Pattern.compile("(?m)^(?!\\s*(//|\\*|/\\*)).*\"[^\"\\n]*(?<![\\w-])--[a-z][a-z-]*+(?!:)[^\\n]*\"");

  /** What only the command line uses, whose users know its options. */
  private static final List<String> OF_THE_COMMAND_LINE = List.of("cli", "report", "sweep");

  private static final Object[] IMPOSSIBLE = {
    Integer.MIN_VALUE, Integer.MAX_VALUE, -1.0, 2.0, Double.NaN, Double.POSITIVE_INFINITY, "nonsense", List.of(-1)
  };

  @Test
  void noTextBelowTheCommandLineNamesAnOption() throws IOException {
    Path sources = Path.of("src/main/java/dev/layerwise");
    List<String> found = new ArrayList<>();
    try (Stream<Path> files = Files.walk(sources)) {
      for (Path file : files.filter(file -> file.toString().endsWith(".java")).toList()) {
        boolean hasOptions = OF_THE_COMMAND_LINE.stream().anyMatch(name -> file.startsWith(sources.resolve(name)));
        if (!hasOptions && !file.endsWith("SettingsException.java")) {
          OPTION.matcher(Files.readString(file)).results().forEach(match -> found.add(file + ": " + match.group()));
        }
      }
    }
    assertThat(found).isEmpty();
    assertThat(OPTION.matcher("  throw new X(\"give --batch-size\");").find()).isTrue();
  }

  @Test
  void whatASettingCannotBeIsSaidWithItsName() {
    Trainer trainer = new Trainer(Network.named("mlp").build(), DataSet.named("digits"));
    int refused = 0;
    for (Class<? extends Record> group : List.<Class<? extends Record>>of(
        Schedule.class, Batches.class, Augmentation.class, Freezing.class, dev.layerwise.settings.Optimizer.class)) {
      refused += refused(group, trainer::setting);
    }
    for (Class<? extends Record> group : List.<Class<? extends Record>>of(Architecture.class, Losses.class)) {
      refused += refused(group, (name, value) -> Network.named("mlp").setting(name, value).build());
    }
    assertThat(refused).as("settings with a value that is refused").isGreaterThan(30);
  }

  /** How many settings of a group refuse something. */
  private static int refused(Class<? extends Record> group, BiConsumer<String, Object> setter) {
    int count = 0;
    for (String name : Settings.values(Settings.partial(group)).keySet()) {
      boolean refuses = false;
      for (Object value : IMPOSSIBLE) {
        Throwable thrown = catchThrowable(() -> setter.accept(name, value));
        if (thrown instanceof LayerwiseException) {
          refuses = true;
          assertThat(thrown).hasMessageContaining(name).hasMessageNotContaining("--").hasMessageNotContainingAny("{", "}");
        } else if (thrown != null) { // a value of another type
          assertThat(thrown).as(name + " " + value).isInstanceOf(IllegalArgumentException.class);
        }
      }
      count += refuses ? 1 : 0;
    }
    return count;
  }
}
