package dev.layerwise.report;

import dev.layerwise.run.EpochReport;
import java.util.ArrayList;
import java.util.List;

/** How fast the runs were. */
final class ThroughputSection {
  private ThroughputSection() {}

  static void write(Markup page, List<Run> runs) {
    page.element("p", "Training images divided by training time, without evaluation; the time is that of the whole run.");
    CurvesSection.writeSpeeds(page, runs);
    List<List<String>> rows = new ArrayList<>();
    for (Run run : runs) {
      double[] speeds = run.epochs().stream().mapToDouble(EpochReport::imagesPerSecond).sorted().toArray();
      rows.add(
          List.of(
              run.name(), Numbers.count(run.imagesPerSecond()),
              speeds.length == 0 ? "–" : Numbers.count(speeds[0]),
              speeds.length == 0 ? "–" : Numbers.count(speeds[speeds.length - 1]),
              Numbers.duration(run.last().map(EpochReport::seconds).orElse(Double.NaN)),
              run.setting("device", "device"), run.setting("device", "threads")));
    }
    Tables.write(
        page, "Throughput",
        List.of("Run", "Median images/s", "Slowest epoch", "Fastest epoch", "Time", "Device", "Threads"), rows);
  }
}
