package dev.layerwise.cli;

import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Prints what makes a shell complete commands. */
@Command(
    name = "completion",
    description = {
      "Prints the completion of commands, options and their values for a shell, to be read by it:",
      "  bash: source <(layerwise completion bash)",
      "  zsh:  source <(layerwise completion zsh)",
      "It completes the words 'layerwise' and './layerwise'."
    })
final class CompletionCommand implements Callable<Integer> {
  private static final String BASH = "bash";
  private static final List<String> SHELLS = List.of(BASH, "zsh");

  @Mixin(name = OutputOptions.NAME)
  private OutputOptions output;

  @Parameters(paramLabel = "SHELL", description = "bash or zsh.")
  private String shell;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    Checks.usage(!output.json, "completion is a script for a shell; leave out --json");
    Checks.oneOf("SHELL", shell, SHELLS);
    CommandLine all = Main.commandLine();
    tellApart(all.getCommandSpec());
    String script = AutoComplete.bash("layerwise", all);
    String before = shell.equals(BASH) ? "" : "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n";
    spec.commandLine().getOut().print(before + script + "complete -F _complete_layerwise -o default ./layerwise\n");
    return 0;
  }

  /** In picocli's script, options with equal labels complete alike, so each gets a label of its own. */
  private static void tellApart(CommandSpec command) {
    for (OptionSpec option : List.copyOf(command.options())) {
      if (option.completionCandidates() != null) {
        String label = option.longestName().replaceFirst("^-+", "").replace('-', '_').toUpperCase(Locale.ROOT);
        command.remove(option);
        command.addOption(OptionSpec.builder(option).paramLabel(label).build());
      }
    }
    command.subcommands().values().forEach(subcommand -> tellApart(subcommand.getCommandSpec()));
  }
}
