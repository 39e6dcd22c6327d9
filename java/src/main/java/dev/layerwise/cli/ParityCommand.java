package dev.layerwise.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.parity.ParityCheck;
import dev.layerwise.parity.ParityResult;
import dev.layerwise.parity.ParityResult.Status;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Replays reference files of the published method. */
@Command(
    name = "parity",
    description = {
      "Replays reference files of the published method on the chosen device and compares the results.",
      "Prints one line per file: the verdict, and the tensor whose error is largest relative to its tolerance."
    },
    footer = {"", "Exits with 1 if any file fails. A file that needs something this build lacks is skipped, never passed."})
final class ParityCommand implements Callable<Integer> {
  @Mixin(name = CommonOptions.NAME)
  private CommonOptions common;

  @Parameters(arity = "1..*", paramLabel = "PATH", description = "Reference files or folders of them.")
  private List<Path> paths;

  @Spec private CommandSpec spec;

  @JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
  @JsonInclude(JsonInclude.Include.NON_NULL)
  private record Line(
      String fixture, Boolean passed, Boolean skipped, String worstTensor, Double relativeError, String reason) {}

  private record Totals(int passed, int failed, int skipped) {}

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    DeviceOptions device = common.deviceOptions();
    common.warnOfGpu(spec.commandLine().getErr());
    if (common.precision == null && device.device().equals("cpu")) {
      device = device.withPrecision("f32"); // the precision in which the files were computed
    }
    Map<Status, Integer> counts = new EnumMap<>(Status.class);
    for (Path file : ParityCheck.files(paths)) {
      ParityResult result = ParityCheck.replay(file, device);
      counts.merge(result.status(), 1, Integer::sum);
      print(out, result);
    }
    Totals totals =
        new Totals(
            counts.getOrDefault(Status.PASSED, 0),
            counts.getOrDefault(Status.FAILED, 0),
            counts.getOrDefault(Status.SKIPPED, 0));
    if (common.json) {
      JsonLines.print(out, "done", totals);
    } else {
      out.printf("%d passed, %d failed, %d skipped%n", totals.passed(), totals.failed(), totals.skipped());
    }
    return totals.failed() == 0 ? 0 : 1;
  }

  private void print(PrintWriter out, ParityResult result) {
    if (common.json) {
      boolean skipped = result.status() == Status.SKIPPED;
      JsonLines.print(
          out,
          "parity",
          new Line(
              result.fixture(), skipped ? null : result.status() == Status.PASSED, skipped ? true : null,
              result.worstTensor(), finite(result.relativeError()), result.reason()));
      return;
    }
    out.printf("%-8s%s", result.status().name().toLowerCase(Locale.ROOT), result.fixture());
    if (result.worstTensor() != null) {
      out.printf("  worst %s %.1e", result.worstTensor(), result.relativeError());
    }
    out.println(result.reason() == null ? "" : "  " + result.reason());
    out.flush();
  }

  /** JSON has no NaN or infinity. */
  private static Double finite(Double value) {
    return value != null && Double.isFinite(value) ? value : null;
  }
}
