package dev.layerwise.cli;

import dev.layerwise.data.DataSets;
import dev.layerwise.recipe.Preset;
import dev.layerwise.recipe.Presets;
import dev.layerwise.run.RunConfig;
import dev.layerwise.settings.Settings;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Lists the published runs. */
@Command(
    name = "presets",
    description = "Lists the published runs and their test errors, for 'train --preset' and 'reproduce'.")
final class PresetsCommand implements Callable<Integer> {
  @Mixin(name = OutputOptions.NAME)
  private OutputOptions output;

  @Spec private CommandSpec spec;

  /** A preset's name and all the settings of its run. */
  private static Map<String, Object> properties(Preset preset) {
    RunConfig run = preset.runConfig(DataSets.info(preset.dataset()));
    Map<String, Object> properties = new LinkedHashMap<>(Settings.values(run.model()));
    properties.putAll(Settings.values(run.training()));
    properties.put("name", preset.name());
    properties.put("network", preset.network());
    properties.put("loss", preset.loss());
    properties.put("published_error", preset.publishedError());
    return properties;
  }

  @Override
  public Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    int widest = Presets.all().stream().mapToInt(preset -> preset.name().length()).max().orElse(1);
    if (!output.json) {
      out.printf("%-" + widest + "s  published error  epochs  with -fast%n", "preset");
    }
    for (Preset preset : Presets.all()) {
      if (output.json) {
        JsonLines.print(out, "preset", properties(preset));
      } else {
        String published =
            preset.publishedError() == null ? "–" : String.format(Locale.ROOT, "%.2f %%", preset.publishedError());
        out.printf("%-" + widest + "s  %15s  %6d  %10d%n", preset.name(), published, preset.schedule().epochs(),
            preset.fast().schedule().epochs());
      }
    }
    out.flush();
    return 0;
  }
}
