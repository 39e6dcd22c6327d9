package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** An option that is given twice: the last value counts, and all other options keep theirs. */
class RepeatedOptionsTest {
  @TempDir private Path folder;

  static Stream<List<String>> commands() {
    List<List<String>> found = new ArrayList<>();
    collect(Main.commandLine().getCommandSpec(), List.of(), found);
    return found.stream();
  }

  private static void collect(CommandSpec command, List<String> path, List<List<String>> found) {
    if (!path.isEmpty()) {
      found.add(path);
    }
    command.subcommands().forEach((name, subcommand) -> {
      List<String> longer = new ArrayList<>(path);
      longer.add(name);
      collect(subcommand.getCommandSpec(), longer, found);
    });
  }

  @ParameterizedTest
  @MethodSource("commands")
  void theLastValueCountsAndAllElseStays(List<String> command) {
    List<OptionSpec> options = options(specOf(Main.commandLine(), command));
    List<String> all = new ArrayList<>(command);
    specOf(Main.commandLine(), command).positionalParameters().forEach(parameter -> all.add("x"));
    options.forEach(option -> all.addAll(use(option, option.shortestName(), 0)));
    Map<String, Object> before = values(command, all);

    for (OptionSpec option : options) {
      for (String name : option.names()) {
        List<String> twice = new ArrayList<>(all);
        twice.addAll(use(option, name, 1));
        Map<String, Object> after = values(command, twice);
        String changed = option.longestName();
        before.forEach((other, value) -> {
          if (!other.equals(changed)) {
            assertThat(after.get(other)).as("%s after a second %s", other, name).isEqualTo(value);
          }
        });
        List<String> alone = new ArrayList<>(all);
        alone.removeAll(use(option, option.shortestName(), 0));
        alone.addAll(gathers(option) ? use(option, name, 0) : List.of());
        alone.addAll(use(option, name, 1));
        assertThat(after.get(changed)).as("a second %s", name).isEqualTo(values(command, alone).get(changed));
      }
    }
  }

  /** Whether it is made to be repeated: each use of {@code sweep --grid} names another option. */
  private static boolean gathers(OptionSpec option) {
    return option.isMultiValue() && !(option.preprocessor() instanceof OptionSections.LastList);
  }

  private static CommandSpec specOf(CommandLine root, List<String> command) {
    CommandLine found = root;
    for (String name : command) {
      found = found.getSubcommands().get(name);
    }
    return found.getCommandSpec();
  }

  private static List<OptionSpec> options(CommandSpec command) {
    return command.options().stream().filter(option -> !option.usageHelp() && !option.versionHelp()).toList();
  }

  private static List<String> use(OptionSpec option, String name, int which) {
    return option.isOption() && option.arity().max() == 0 ? List.of(name) : List.of(name + "=" + sample(option, which));
  }

  private static String sample(OptionSpec option, int which) {
    Class<?> type = option.isMultiValue() ? option.auxiliaryTypes()[0] : option.type();
    if (type.isEnum()) {
      return type.getEnumConstants()[which].toString();
    }
    return switch (type.getSimpleName()) {
      case "int", "Integer", "long", "Long", "CheckpointSchedule" -> which == 0 ? "3" : "5";
      case "double", "Double" -> which == 0 ? "0.5" : "0.25";
      case "Duration" -> which == 0 ? "90s" : "2m";
      default -> which == 0 ? "first" : "second";
    };
  }

  private static Map<String, Object> values(List<String> command, List<String> args) {
    CommandLine root = Main.commandLine();
    root.parseArgs(args.toArray(new String[0]));
    Map<String, Object> values = new HashMap<>();
    for (OptionSpec option : options(specOf(root, command))) {
      values.put(option.longestName(), option.getValue());
    }
    return values;
  }

  @Test
  void aRunIsTrainedAsTheLastValuesSay() {
    CommandLineRunner run =
        CommandLineRunner.run(
            "train", "--epochs", 1, "--lr", "1e-3", "--seed", 7, "--batch-size", 32, "--batch-size", 16, "--loss", "sim",
            "--loss-sup", "pred", "--out", folder.resolve("unused"), "--out", folder.resolve("run"));
    assertThat(run.exitCode()).as(run.err()).isZero();
    assertThat(folder.resolve("unused")).doesNotExist();
    assertThat(folder.resolve("run/config.json")).content()
        .contains("\"epochs\" : 1,", "\"lr\" : 0.001,", "\"seed\" : 7\n", "\"batch_size\" : 16,", "\"loss\" : \"pred\"");
  }

  @Test
  void aListIsReplacedAsAWhole() {
    CommandLine root = Main.commandLine();
    root.parseArgs("train", "--lr-decay-milestones", "3", "5", "--lr-decay-milestones", "7,9", "--epochs", "12");
    OptionSpec milestones = root.getSubcommands().get("train").getCommandSpec().findOption("--lr-decay-milestones");
    assertThat(milestones.<List<Integer>>getValue()).containsExactly(7, 9);
  }

  @Test
  void helpShowsTheSections() {
    assertThat(CommandLineRunner.run("train", "--help").out())
        .containsSubsequence(
            "--preset", "\nData\n", "--data-dir", "\nNetwork and losses\n", "--loss", "\nOptimization\n", "--lr",
            "\nAugmentation\n", "--cutout", "\nThe run\n", "--out");
  }
}
