package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The commands that README and docs show: those of the guide that begin with a prompt are run, all others, which take
 * hours, a download or a GPU, are parsed.
 */
class DocumentedCommandsTest {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final Pattern COMMAND = Pattern.compile("^\\s*(\\$ )?(\\./layerwise|layerwise) ([a-z].*)$");

  @TempDir private Path folder;

  private record Command(String text, boolean prompted) {}

  /** Lines that begin with the program's name, with the lines that a backslash continues. */
  private static List<Command> commands(Path document) throws IOException {
    List<Command> commands = new ArrayList<>();
    String pending = "";
    for (String line : Files.readAllLines(document)) {
      String whole = pending + line;
      if (line.endsWith("\\") && COMMAND.matcher(whole).matches()) {
        pending = whole.substring(0, whole.length() - 1);
        continue;
      }
      pending = "";
      var matcher = COMMAND.matcher(whole.replaceFirst("\\s+#.*$", ""));
      if (matcher.matches()) {
        commands.add(new Command(matcher.group(3).strip(), matcher.group(1) != null));
      }
    }
    return commands;
  }

  @Test
  void everyCommandIsOneThatTheProgramTakes() throws IOException {
    List<Path> documents = new ArrayList<>(List.of(ROOT.resolve("README.md")));
    try (Stream<Path> files = Files.list(ROOT.resolve("docs"))) {
      files.filter(file -> file.toString().endsWith(".md")).sorted().forEach(documents::add);
    }
    int count = 0;
    for (Path document : documents) {
      for (Command command : commands(document)) {
        count++;
        String options = command.text().replaceFirst(" [>|] .*", "");
        assertThatCode(() -> Main.commandLine().parseArgs(options.split("\\s+")))
            .as(document.getFileName() + ": layerwise " + command.text())
            .doesNotThrowAnyException();
      }
    }
    assertThat(count).isGreaterThan(20);
  }

  @Test
  void theGuideWorksFromBeginningToEnd() throws IOException {
    List<String> run =
        commands(ROOT.resolve("docs/guide.md")).stream().filter(Command::prompted).map(Command::text).toList();
    assertThat(run).hasSizeGreaterThan(10);
    for (String command : run) {
      CommandLineRunner runner = CommandLineRunner.run((Object[]) inFolder(command));
      assertThat(runner.exitCode()).as("layerwise " + command + ": " + runner.err()).isZero();
      assertThat(runner.out()).as("what 'layerwise " + command + "' prints").isNotBlank();
    }
    assertThat(folder.resolve("report.html")).isNotEmptyFile();
    assertThat(folder.resolve("features.npy")).isNotEmptyFile();
    assertThat(folder.resolve("digits.onnx")).isNotEmptyFile();
  }

  /** A JVM cannot change its folder: what the command names lies in the project's or, if it is written, in the test's. */
  private String[] inFolder(String command) {
    return Stream.of(command.split("\\s+"))
        .map(
            word ->
                word.startsWith("examples/") ? ROOT.resolve(word).toString()
                    : word.matches("runs/.*|report\\.html|features\\.npy|(digits|small)\\.onnx") ? folder.resolve(word).toString()
                    : word)
        .toArray(String[]::new);
  }
}
