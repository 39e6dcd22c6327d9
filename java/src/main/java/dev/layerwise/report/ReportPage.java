package dev.layerwise.report;

import dev.layerwise.run.EpochReport;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

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
   * Reads the folders of runs and compares them.
   *
   * @param version of the program, which the page names
   * @throws dev.layerwise.LayerwiseException if a folder is missing or holds no run, if it is given twice, or if a
   *     file in it is damaged (but for half a last line of metrics, which a killed run leaves)
   */
  public static ReportPage of(List<Path> folders, String version) {
    List<Run> runs = RunReader.read(folders);
    List<String> remarks = new ArrayList<>();
    runs.stream().filter(run -> run.remark() != null).forEach(run -> remarks.add(run.name() + ": " + run.remark()));
    return new ReportPage(html(runs, version), remarks);
  }

  private static String html(List<Run> runs, String version) {
    Markup page = new Markup();
    page.open("html", "lang", "en");
    writeHead(page, runs);
    page.open("body");
    page.element("a", "Skip to the runs", "class", "skip", "href", "#runs");
    page.open("header").element("h1", title(runs));
    page.element("p", "Local losses, layer by layer. Written by Layerwise " + version + ".").close();
    writeNavigation(page);
    page.open("main");
    writeSection(page, "runs", "Runs", () -> OverviewSection.write(page, runs));
    writeSection(page, "curves", "Learning curves", () -> writeCurves(page, runs));
    writeSection(
        page, "layers", "Layer by layer",
        () -> {
          LayerSection.write(page, runs);
          EarlyExitSection.write(page, runs);
        });
    writeSection(
        page, "confusions", "Confusions", () -> writeEvaluated(page, runs, "confusions", ConfusionSection::write));
    writeSection(page, "mistakes", "Mistakes", () -> writeMistakes(page, runs));
    writeSection(page, "throughput", "Throughput", () -> ThroughputSection.write(page, runs));
    writeSection(page, "configuration", "Configuration", () -> Configuration.write(page, runs));
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

  private static void writeCurves(Markup page, List<Run> runs) {
    List<Series> keys = new ArrayList<>();
    for (int i = 0; i < runs.size(); i++) {
      keys.add(Series.ofRun(i, runs.get(i).name(), new double[0], new double[0]));
    }
    Figures.writeLegend(page, keys, true);
    page.open("div", "class", "panels");
    Figures.writeOverEpochs(page, runs, errors("Test error"), EpochReport::testError);
    Figures.writeOverEpochs(page, runs, errors("Training error"), EpochReport::trainError);
    Figures.writeOverEpochs(page, runs, losses("Test loss"), EpochReport::testLoss);
    Figures.writeOverEpochs(page, runs, losses("Training loss"), EpochReport::trainLoss);
    page.close();
  }

  private static LineChart errors(String title) {
    return new LineChart(title, "epoch", "error, %", true, false, Numbers::percent);
  }

  private static LineChart losses(String title) {
    return new LineChart(title, "epoch", "cross-entropy", true, false, Numbers::loss);
  }

  private static void writeMistakes(Markup page, List<Run> runs) {
    page.element(
        "p",
        "The test images of which the network was most certain, and wrong; in brackets the probability that it gave the"
            + " wrong class.");
    writeEvaluated(page, runs, "mistakes", MistakesSection::write);
  }

  /** A part for each run, or how to get what is missing for it. */
  private static void writeEvaluated(Markup page, List<Run> runs, String anchor, BiConsumer<Markup, Run> content) {
    for (int i = 0; i < runs.size(); i++) {
      Run run = runs.get(i);
      String id = anchor + "-" + (i + 1);
      page.open("section", "aria-labelledby", id);
      Figures.writeRunHeading(page, i, run, id);
      if (run.evaluation() != null) {
        content.accept(page, run);
      } else if (run.hasModel()) {
        page.open("p").text("What the run's model predicts has not been saved. Let ");
        page.element("code", "layerwise evaluate " + run.folder()).text(" save it, and write the report again.");
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
