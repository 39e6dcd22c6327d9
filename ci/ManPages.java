import dev.layerwise.cli.Main;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.Model.CommandSpec;
import picocli.codegen.docgen.manpage.ManPageGenerator;

/** Writes one man page in AsciiDoc per command: {@code java -cp picocli-codegen.jar:layerwise.jar ManPages.java FOLDER}. */
final class ManPages {
  private ManPages() {}

  public static void main(String[] args) throws IOException {
    Path folder = Files.createDirectories(Path.of(args[0]));
    write(Main.documented(), folder);
  }

  private static void write(CommandSpec command, Path folder) throws IOException {
    Path page = folder.resolve(command.qualifiedName("-") + ".adoc");
    try (PrintWriter writer = new PrintWriter(Files.newBufferedWriter(page, StandardCharsets.UTF_8))) {
      ManPageGenerator.writeSingleManPage(writer, command);
    }
    for (var subcommand : command.subcommands().values()) {
      write(subcommand.getCommandSpec(), folder);
    }
  }
}
