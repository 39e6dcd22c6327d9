package dev.layerwise.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.LayerwiseException;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.DataSets;
import dev.layerwise.data.DataStore;
import dev.layerwise.data.Verification;
import java.io.PrintWriter;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Data sets on disk. */
@Command(
    name = "data",
    description = "Lists, downloads and checks data sets.",
    subcommands = {DataCommand.ListAll.class, DataCommand.Fetch.class, DataCommand.Verify.class})
final class DataCommand implements Callable<Integer> {
  private static final String EMBEDDED = "included with the program";

  @Mixin(name = OutputOptions.NAME)
  private OutputOptions output;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    throw new ParameterException(spec.commandLine(), "data needs a subcommand: list, fetch or verify");
  }

  /** Candidates for completion and help: published data sets, not the user's own folders. */
  static final class Names extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Names() {
      super(DataSets.names());
    }
  }

  /** Where to look for data sets. */
  static final class Place {
    @Option(
        names = "--data-dir",
        paramLabel = "DIR",
        description = "Look for data only here. Default: the usual places, shown by 'layerwise doctor'.")
    Path dataDir;
  }

  /** The known data sets and the ones found. */
  @Command(name = "list", description = "Lists the data sets and where they were found.")
  static final class ListAll implements Callable<Integer> {
    @Mixin(name = OutputOptions.NAME)
    private OutputOptions output;

    @Mixin private Place place;

    @Spec private CommandSpec spec;

    /** A data set; no location if it was not found. */
    @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
    @JsonInclude(JsonInclude.Include.NON_NULL)
    private record Line(String name, String title, int train, int test, int classes, int channels, int height,
        int width, String location) {}

    @Override
    public Integer call() {
      PrintWriter out = spec.commandLine().getOut();
      for (String name : DataSets.names()) {
        DataSetInfo info = DataSets.info(name);
        Optional<Path> found = DataSets.locate(name, place.dataDir);
        String location = found.map(Path::toString).orElse(
            info.embedded() && place.dataDir == null ? EMBEDDED : null);
        if (output.json) {
          JsonLines.print(out, "dataset", new Line(name, info.title(), info.trainCount(), info.testCount(),
              info.classes(), info.channels(), info.height(), info.width(), location));
        } else {
          out.printf("%-16s %7d + %-6d %3d classes  %-8s  %s%n", name, info.trainCount(), info.testCount(),
              info.classes(), info.height() + "×" + info.width() + "×" + info.channels(),
              location == null ? "not found" : location);
        }
      }
      out.flush();
      return 0;
    }
  }

  /** Downloads. */
  @Command(
      name = "fetch",
      description = {
        "Downloads, checks and installs data sets.",
        "An interrupted download resumes where it stopped. The variables http_proxy, https_proxy and no_proxy apply."
      })
  static final class Fetch implements Callable<Integer> {
    @Mixin(name = OutputOptions.NAME)
    private OutputOptions output;

    @Parameters(
        arity = "1..*",
        paramLabel = "NAME",
        completionCandidates = Names.class,
        description = "One or more of ${COMPLETION-CANDIDATES}.")
    private List<String> names;

    @Option(
        names = "--data-dir",
        paramLabel = "DIR",
        description = "Install in DIR/NAME. Default for DIR: $XDG_CACHE_HOME/layerwise or ~/.cache/layerwise.")
    private Path dataDir;

    @Option(
        names = "--mirror",
        paramLabel = "URL",
        description = "Download the files from this address, under the same names. Default: the authors' addresses.")
    private URI mirror;

    @Spec private CommandSpec spec;

    private record Line(String name, String location) {}

    @Override
    public Integer call() {
      Checks.usage(mirror == null || mirror.getHost() != null && ("http".equalsIgnoreCase(mirror.getScheme())
          || "https".equalsIgnoreCase(mirror.getScheme())), "--mirror takes an http or https address, not " + mirror);
      names.forEach(name -> Checks.oneOf("NAME", name, DataSets.names()));
      PrintWriter out = spec.commandLine().getOut();
      DataStore store = new DataStore(dataDir);
      for (String name : names) {
        DownloadPrinter printer = new DownloadPrinter(spec.commandLine().getErr(), System.console() != null);
        String location = store.fetch(name, mirror, printer).map(Path::toString).orElse(EMBEDDED);
        printer.end();
        if (output.json) {
          JsonLines.print(out, "fetched", new Line(name, location));
        } else {
          out.printf("%-16s %s%n", name, location);
          out.flush();
        }
      }
      return 0;
    }
  }

  /** Checks copies. */
  @Command(
      name = "verify",
      description = {
        "Checks that data sets are complete and undamaged.",
        "Compares them with the checksums that their authors published or those recorded at installation, or otherwise"
            + " checks the contents."
      },
      footer = {"", "Exits with 1 if a data set is missing or damaged."})
  static final class Verify implements Callable<Integer> {
    @Mixin(name = OutputOptions.NAME)
    private OutputOptions output;

    @Parameters(
        arity = "1..*",
        paramLabel = "NAME",
        completionCandidates = Names.class,
        description = "One or more of ${COMPLETION-CANDIDATES}.")
    private List<String> names;

    @Mixin private Place place;

    @Spec private CommandSpec spec;

    @JsonInclude(JsonInclude.Include.NON_NULL)
    private record Line(String name, boolean whole, String location, Verification.Evidence evidence, String reason) {}

    @Override
    public Integer call() {
      names.forEach(name -> Checks.oneOf("NAME", name, DataSets.names()));
      int exitCode = 0;
      for (String name : names) {
        Line line = verify(name);
        exitCode = line.whole() ? exitCode : 1;
        print(line);
      }
      return exitCode;
    }

    private Line verify(String name) {
      try {
        Verification found = new DataStore(place.dataDir).verify(name);
        return new Line(name, true, found.location().map(Path::toString).orElse(EMBEDDED), found.evidence(), null);
      } catch (LayerwiseException e) {
        if (output.verbose) {
          e.printStackTrace(spec.commandLine().getErr());
        }
        return new Line(name, false, null, null, e.getMessage());
      }
    }

    private void print(Line line) {
      PrintWriter out = spec.commandLine().getOut();
      if (output.json) {
        JsonLines.print(out, "verified", line);
      } else if (line.whole()) {
        out.printf("%-16s whole    %s: %s%n", line.name(), line.location(), words(line.evidence()));
      } else {
        out.printf("%-16s failed   %s%n", line.name(), line.reason());
      }
      out.flush();
    }

    private static String words(Verification.Evidence evidence) {
      return switch (evidence) {
        case PUBLISHED_CHECKSUMS -> "matches the published md5";
        case INSTALLED_CHECKSUMS -> "matches the md5 recorded at installation";
        case CONTENT -> "numbers of images, sizes and labels are correct";
      };
    }
  }
}
