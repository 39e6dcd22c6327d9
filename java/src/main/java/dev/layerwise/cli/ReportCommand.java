package dev.layerwise.cli;

import dev.layerwise.files.AtomicFiles;
import dev.layerwise.nativelib.NativeLibrary;
import dev.layerwise.report.ReportPage;
import dev.layerwise.report.RunFinder;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Compares runs on an HTML page. */
@Command(
    name = "report",
    description = {
      "Writes an HTML page that compares runs: learning curves, each block's local error and losses, confusion matrices,"
          + " mistakes, throughput, settings, and the published errors.",
      "Running and stopped runs can be included."
    })
final class ReportCommand implements Callable<Integer> {
  @Mixin(name = OutputOptions.NAME)
  private OutputOptions output;

  @Parameters(
      paramLabel = "RUN",
      arity = "1..*",
      description = "Folders of runs made by 'layerwise train', or folders that hold some, such as those of 'layerwise"
          + " reproduce'.")
  private List<Path> runs;

  @Option(
      names = "--out",
      paramLabel = "FILE",
      defaultValue = "report.html",
      description = "The file to write; an existing page is replaced. Default: ${DEFAULT-VALUE}.")
  private Path out;

  @Spec private CommandSpec spec;

  /** The printed result. */
  private record Done(String report, int runs, int bytes) {}

  @Override
  public Integer call() {
    RunFinder found = RunFinder.find(runs);
    ReportPage page = ReportPage.of(found.folders(), NativeLibrary.version());
    PrintWriter err = spec.commandLine().getErr();
    found.leftOut().forEach(sentence -> err.println("layerwise: " + sentence));
    page.remarks().forEach(remark -> err.println("layerwise: " + remark));
    err.flush();
    byte[] bytes = page.html().getBytes(StandardCharsets.UTF_8);
    AtomicFiles.write(out, file -> file.write(bytes));
    PrintWriter results = spec.commandLine().getOut();
    if (output.json) {
      JsonLines.print(results, "done", new Done(out.toString(), found.folders().size(), bytes.length));
    } else {
      int shown = found.folders().size();
      String count = shown == 1 ? "1 run" : shown + " runs";
      results.printf("%s shows %s (%d KB)%n", out, count, (bytes.length + 999) / 1000);
    }
    results.flush();
    return 0;
  }
}
