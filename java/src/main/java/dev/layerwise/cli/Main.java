package dev.layerwise.cli;

import dev.layerwise.LayerwiseException;
import dev.layerwise.nativelib.DeviceOptionsException;
import dev.layerwise.settings.SettingsException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ParseResult;

/** The command line. Results go to stdout, everything else to stderr. */
@Command(
    subcommands = {
      TrainCommand.class, SweepCommand.class, ReproduceCommand.class, PresetsCommand.class, NetworksCommand.class,
      EvaluateCommand.class, PredictCommand.class, EmbedCommand.class, ServeCommand.class, InspectCommand.class,
      ExportCommand.class, ReportCommand.class, RunsCommand.class, BenchCommand.class, ParityCommand.class, DataCommand.class,
      DoctorCommand.class, CompletionCommand.class
    })
public final class Main extends Root {
  private Main() {}

  /** Runs the command line and exits with its code. */
  public static void main(String[] args) {
    Locale.setDefault(Locale.ROOT); // print numbers as they are typed: 0.5
    int code = run(args);
    Launch.endAll(code);
    System.exit(code);
  }

  /** Reports errors, as opposed to exceptions, in one sentence. */
  private static int run(String[] args) {
    StandardOutput results = StandardOutput.open();
    try {
      CommandLine commandLine = commandLineFor(args).setOut(results);
      if (!Launch.isFirst()) {
        commandLine.setOut(new PrintWriter(Writer.nullWriter())).setErr(new PrintWriter(Writer.nullWriter()));
      }
      int code = commandLine.execute(args);
      IOException failure = results.finish();
      if (failure == null) {
        return code;
      }
      if (code == CommandLine.ExitCode.OK) { // a failed command has already printed the reason
        System.err.println("layerwise: " + StandardOutput.failure(results));
      }
    } catch (OutOfMemoryError e) {
      System.err.println(
          "layerwise: " + Launch.name() + "Java ran out of memory; give it more with LAYERWISE_JAVA_OPTIONS=-Xmx8g (now "
              + (Runtime.getRuntime().maxMemory() >> 20) + " MiB)");
    } catch (LinkageError e) {
      System.err.println("layerwise: " + Launch.name() + "the program's files are incomplete; build or install it again: " + e);
    }
    return CommandLine.ExitCode.SOFTWARE;
  }

  /** The commands as shown in their help, for man pages. */
  public static CommandLine.Model.CommandSpec documented() {
    return OptionSections.show(commandLine().getCommandSpec());
  }

  /** The parser of these arguments: it knows only the command that they name, since all would take half a second. */
  private static CommandLine commandLineFor(String[] args) {
    String first = args.length == 0 ? "" : args[0];
    CommandLine root = new CommandLine(new Root());
    if (first.equals("--version")) {
      return configured(root);
    }
    return Arrays.stream(Main.class.getAnnotation(Command.class).subcommands())
        .filter(command -> command.getAnnotation(Command.class).name().equals(first))
        .findFirst()
        .map(command -> configured(root.addSubcommand(command)))
        .orElseGet(Main::commandLine);
  }

  /** The parser of all commands; tests set their own writers. */
  static CommandLine commandLine() {
    return configured(new CommandLine(new Main()));
  }

  /** A parser with the rules of this command line. */
  static CommandLine configured(CommandLine commandLine) {
    return commandLine
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setExpandAtFiles(false) // an argument that begins with @ names an image or a folder
        .setOverwrittenOptionsAllowed(true) // scripts may add options to existing ones; the last one counts
        .setUsageHelpAutoWidth(true)
        .setHelpFactory((command, colors) -> new CommandLine.Help(OptionSections.show(command), colors))
        .setExecutionStrategy(Main::execute)
        .setParameterExceptionHandler(Main::wrongUsage)
        .setExecutionExceptionHandler(Main::failure);
  }

  private static int execute(ParseResult parsed) {
    if (parsed.hasSubcommand() && !parsed.subcommand().isUsageHelpRequested()) {
      ParseResult command = parsed.subcommand();
      try {
        Launch.requireAlone(command.commandSpec().name());
      } catch (Checks.UsageException e) {
        throw new CommandLine.ParameterException(command.commandSpec().commandLine(), e.getMessage());
      }
    }
    List<CommandLine> commands = parsed.asCommandLineList();
    CommandLine last = commands.get(commands.size() - 1);
    OutputOptions output = (OutputOptions) last.getMixins().get(OutputOptions.NAME);
    if (output != null && output.quiet) {
      last.setErr(new Quiet(last.getErr()));
    }
    return new CommandLine.RunLast().execute(parsed);
  }

  private static int wrongUsage(CommandLine.ParameterException e, String[] args) {
    CommandLine command = e.getCommandLine();
    PrintWriter err = Launch.errors(command.getErr());
    if (args.length == 0) {
      command.usage(err);
      return CommandLine.ExitCode.USAGE;
    }
    err.println("layerwise: " + Launch.name() + e.getMessage());
    CommandLine.UnmatchedArgumentException.printSuggestions(e, err);
    err.println("Try 'layerwise " + commandName(command) + "--help'.");
    return CommandLine.ExitCode.USAGE;
  }

  private static String commandName(CommandLine command) {
    return command.getParent() == null ? "" : commandName(command.getParent()) + command.getCommandName() + " ";
  }

  private static boolean isMisuseOfDevice(Exception e, CommandLine command) {
    return e instanceof DeviceOptionsException
        && command.getMixins().get(CommonOptions.NAME) instanceof CommonOptions options && options.asksOfProcessor();
  }

  private static int failure(Exception e, CommandLine command, ParseResult parsed) {
    String misuse =
        e instanceof SettingsException setting ? setting.withOptions()
            : e instanceof Checks.UsageException || isMisuseOfDevice(e, command) ? e.getMessage() : null;
    if (misuse != null) {
      return wrongUsage(new CommandLine.ParameterException(command, misuse), parsed.originalArgs().toArray(new String[0]));
    }
    boolean expected = e instanceof LayerwiseException;
    PrintWriter err = Launch.errors(command.getErr());
    err.println("layerwise: " + Launch.name() + (expected ? e.getMessage() : "internal error: " + e));
    OutputOptions output = (OutputOptions) command.getMixins().get(OutputOptions.NAME);
    if (output != null && output.verbose) {
      e.printStackTrace(err);
    } else if (!expected) {
      err.println("Run the command again with --verbose to see where it happened.");
    }
    return CommandLine.ExitCode.SOFTWARE;
  }
}
