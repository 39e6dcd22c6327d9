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
 * Sections of a command's help. A command takes options from mixins, and a mixin whose name begins with a capital
 * letter is a section under that heading.
 *
 * <p>Picocli's own means, an {@code @ArgGroup}, is for showing options only: while it parses, an option that is given
 * twice gives it a new object for the whole group, and all that was given of the group before is lost.
 */
final class OptionSections {
  private OptionSections() {}

  /** Turns the sections of a command, and of its subcommands, into groups; for help, after which nothing is parsed. */
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
        return; // the section is shown already
      }
      command.remove(option);
      group.addArg(option);
    }
    command.addArgGroup(group.build());
  }

  /** Forgets the values that a list had from an earlier use of its option: as everywhere, the last use counts. */
  static final class LastList implements IParameterPreprocessor {
    @Override
    public boolean preprocess(Stack<String> args, CommandSpec command, ArgSpec option, Map<String, Object> info) {
      option.setValue(null);
      return false;
    }
  }
}
