package dev.layerwise.cli;

import java.util.List;
import java.util.Map;
import java.util.Stack;
import picocli.CommandLine.IParameterPreprocessor;
import picocli.CommandLine.Model.ArgGroupSpec;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * Sections of a command's help. A mixin whose name begins with a capital letter is a section with that heading.
 *
 * <p>Picocli's own {@code @ArgGroup} is used only to show options. When it parses, an option given twice creates a new
 * object for the whole group, and the group's earlier options are lost.
 */
final class OptionSections {
  private OptionSections() {}

  /** Turns the sections of a command and its subcommands into groups, for showing help; it must not parse afterwards. */
  static CommandSpec show(CommandSpec command) {
    command.subcommands().values().forEach(subcommand -> show(subcommand.getCommandSpec()));
    command.mixins().forEach((name, mixin) -> {
      if (Character.isUpperCase(name.charAt(0))) {
        group(command, name, List.copyOf(mixin.options()));
      }
    });
    return command;
  }

  private static void group(CommandSpec command, String heading, List<OptionSpec> options) {
    ArgGroupSpec.Builder group = ArgGroupSpec.builder().heading("%n" + heading + "%n").validate(false);
    for (OptionSpec option : options) {
      if (option.group() != null) {
        return; // the section was already added
      }
      command.remove(option);
      group.addArg(option);
    }
    command.addArgGroup(group.build());
  }

  /** Drops a list's values from an earlier use of its option: as for all options, the last use counts. */
  static final class LastList implements IParameterPreprocessor {
    @Override
    public boolean preprocess(Stack<String> args, CommandSpec command, ArgSpec option, Map<String, Object> info) {
      option.setValue(null);
      return false;
    }
  }
}
