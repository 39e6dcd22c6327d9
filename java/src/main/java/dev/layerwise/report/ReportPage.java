package dev.layerwise.report;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A page of HTML that compares runs. It holds all that it shows, runs no script and asks for nothing over a network.
 * The same runs give the same page.
 *
 * @param html the page
 * @param remarks what was found wrong with the runs' files, in sentences that begin with the run's name
 */
public record ReportPage(String html, List<String> remarks) {
  private static final String STYLE = "report.css";

  /**
   * Reads the folders of runs and compares them. Of several runs, those whose files are damaged are left out, with a remark.
   *
   * @param version of the program, which the page names
   * @throws dev.layerwise.LayerwiseException if a folder is missing or holds no run, if it is given twice, or if a file in
   *     the only one is damaged (but for half a last line of metrics, which a killed run leaves), or in all of them
   */
  public static ReportPage of(List<Path> folders, String version) {
    RunReader.Found found = RunReader.read(folders);
    List<String> remarks = new ArrayList<>(found.leftOut());
    found.runs().stream().filter(run -> run.remark() != null).forEach(run -> remarks.add(run.name() + ": " + run.remark()));
    return new ReportPage(html(found, version), remarks);
  }

  private static String html(RunReader.Found found, String version) {
    List<Run> runs = found.runs();
    Markup page = new Markup();
    page.open("html", "lang", "en");
    writeHead(page, runs);
    page.open("body");
    page.element("a", "Skip to the runs", "class", "skip", "href", "#runs");
    page.open("header").element("h1", title(runs));
    page.element("p", "Local losses, layer by layer. Written by Layerwise " + version + ".").close();
    writeNavigation(page);
    page.open("main");
    writeSection(page, "runs", "Runs", () -> OverviewSection.write(page, runs, found.leftOut()));
    writeSection(page, "curves", "Learning curves", () -> CurvesSection.write(page, runs));
    writeSection(
        page, "layers", "Layer by layer",
        () -> {
          LayerSection.write(page, runs);
          EarlyExitSection.write(page, runs);
        });
    writeSection(page, "confusions", "Confusions", () -> writeConfusions(page, runs));
    writeSection(page, "mistakes", "Mistakes", () -> MistakesSection.write(page, runs));
    writeSection(page, "throughput", "Throughput", () -> ThroughputSection.write(page, runs));
    writeSection(
        page, "configuration", "Configuration",
        () -> {
          SessionsTable.write(page, runs);
          Configuration.write(page, runs);
        });
    page.close().close().close();
    return page.finish();
  }

  private static String title(List<Run> runs) {
    return runs.size() == 1 ? "Run " + runs.get(0).name() : "Comparison of " + runs.size() + " runs";
  }

  private static void writeHead(Markup page, List<Run> runs) {
    page.open("head").empty("meta", "charset", "utf-8");
    page.empty("meta", "name", "viewport", "content", "width=device-width, initial-scale=1");
    page.empty("meta", "name", "color-scheme", "content", "light dark");
    // Whatever a file of a run might smuggle in: no script runs, nothing is fetched.
    page.empty(
        "meta", "http-equiv", "Content-Security-Policy", "content",
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:");
    page.element("title", title(runs) + " – Layerwise").element("style", style()).close();
  }

  private static void writeNavigation(Markup page) {
    page.open("nav", "aria-label", "Sections").open("ul");
    String[] sections = {"Runs", "Learning curves", "Layer by layer", "Confusions", "Mistakes", "Throughput",
      "Configuration"};
    String[] anchors = {"runs", "curves", "layers", "confusions", "mistakes", "throughput", "configuration"};
    for (int i = 0; i < sections.length; i++) {
      page.open("li").element("a", sections[i], "href", "#" + anchors[i]).close();
    }
    page.close().close();
  }

  private static void writeSection(Markup page, String anchor, String heading, Runnable content) {
    page.open("section", "aria-labelledby", anchor).element("h2", heading, "id", anchor);
    content.run();
    page.close();
  }

  /** A part for each run, or how to get what is missing for it. */
  private static void writeConfusions(Markup page, List<Run> runs) {
    boolean[] open = BestRun.unfolded(runs);
    for (int i = 0; i < runs.size(); i++) {
      Run run = runs.get(i);
      Figures.openRun(page, i, run, open[i], ConfusionSection.gist(run));
      if (run.evaluation() != null) {
        ConfusionSection.write(page, run);
      } else if (run.hasModel()) {
        page.open("p").text("What the run's model predicts has not been saved. Let ");
        page.element("code", "layerwise evaluate --save " + run.folder()).text(" save it, and write the report again.");
        page.close();
      } else {
        page.element("p", "The run is not finished; what its model predicts is saved at its end.");
      }
      page.close();
    }
  }

  private static String style() {
    try (InputStream in = ReportPage.class.getResourceAsStream(STYLE)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
