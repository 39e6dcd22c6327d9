package dev.layerwise.cli;

import com.fasterxml.jackson.annotation.JsonUnwrapped;
import dev.layerwise.Json;
import dev.layerwise.recipe.Preset;
import dev.layerwise.recipe.Presets;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Lists the published runs. */
@Command(
    name = "presets",
    description = "Lists the published runs with their test errors, for 'train --preset' and 'reproduce'.")
final class PresetsCommand implements Callable<Integer> {
  @Mixin(name = OutputOptions.NAME)
  private OutputOptions output;

  @Spec private CommandSpec spec;

  /** The settings in which a preset differs from the defaults, and what it is called. */
  private record Listed(@JsonUnwrapped Preset preset, String network, String loss) {}

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    int widest = Presets.names().stream().mapToInt(String::length).max().orElse(1);
    if (!output.json) {
      out.printf("%-" + widest + "s  published error  epochs%n", "preset");
    }
    for (Preset preset : Presets.all()) {
      if (output.json) {
        JsonLines.print(out, "preset", Json.withoutNulls(new Listed(preset, preset.network(), preset.loss())));
      } else {
        String published =
            preset.publishedError() == null ? "–" : String.format(Locale.ROOT, "%.2f %%", preset.publishedError());
        out.printf("%-" + widest + "s  %15s  %6d%n", preset.name(), published, preset.schedule().epochs());
      }
    }
    out.flush();
    return 0;
  }
}
