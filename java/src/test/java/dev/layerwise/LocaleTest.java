package dev.layerwise;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The library is used in programs of any locale; what it writes is the same in all of them. */
class LocaleTest {
  /** Methods that take the locale of the program where none is named. The command line sets that itself. */
  private static final Pattern LOCALE_OF_THE_PROGRAM =
      Pattern.compile("String\\.format\\((?!\\s*Locale)|\\.formatted\\(|printf\\((?!\\s*Locale)|to(Lower|Upper)Case\\(\\)");

  @Test
  void noTextDependsOnTheLocale() throws IOException {
    Path sources = Path.of("src/main/java/dev/layerwise");
    List<Path> dependent;
    try (Stream<Path> files = Files.walk(sources)) {
      dependent = files
          .filter(file -> file.toString().endsWith(".java") && !file.startsWith(sources.resolve("cli")))
          .filter(file -> LOCALE_OF_THE_PROGRAM.matcher(read(file)).find())
          .toList();
    }
    assertThat(dependent).as("name Locale.ROOT in these").isEmpty();
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
