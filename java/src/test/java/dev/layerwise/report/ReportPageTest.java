package dev.layerwise.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.run.EpochReport;
import dev.layerwise.run.EarlyExits;
import dev.layerwise.run.Evaluation;
import dev.layerwise.run.RunConfig;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Schedule;
import dev.layerwise.settings.Settings;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Element;

class ReportPageTest {
  private static final String PRESET = "mnist-mlp-predsim";

  @TempDir private Path folder;

  @Test
  void numbersAreThoseOfTheRuns() {
    List<EpochReport> epochs = RunFolders.epochs(20, 3);
    Path one = RunFolders.write(folder.resolve("one"), RunFolders.config(PRESET), epochs);
    Path two = RunFolders.write(folder.resolve("two"), RunFolders.config(PRESET), RunFolders.epochs(4, 3));
    PageReader page = page(one, two);
    EpochReport last = epochs.get(19);

    assertThat(page.table("Test error").get(0)).containsExactly("Epoch", "one", "two");
    assertThat(page.row("Test error", "1")).containsExactly("1", "53.00", "53.00");
    assertThat(page.row("Test error", "4")).containsExactly("4", "13.25", "13.25");
    assertThat(page.row("Test error", "20")).containsExactly("20", Numbers.percent(last.testError()), "–");
    assertThat(page.row("Training error", "20")).containsExactly("20", "3.05", "–");
    assertThat(page.row("Test loss", "20")).containsExactly("20", "0.1050", "–");
    assertThat(page.row("Training loss", "20")).containsExactly("20", "0.1150", "–");
    assertThat(page.row("Training speed", "20").get(1)).isEqualTo(Numbers.count(1254));

    List<String> deepest = page.row("Local error of each layer of one", "3 layers.2");
    assertThat(deepest).startsWith("3 layers.2", "21.75").endsWith("1.09"); // 87 / (4 · 20)
    assertThat(page.row("Local error of each layer of one", "output layer")).endsWith("3.05");
    assertThat(page.row("Similarity loss of each layer of one", "1 layers.0")).contains("0.4500").endsWith("0.02250");
    assertThat(page.row("Prediction loss of each layer of one", "2 layers.1")).endsWith("0.001167");
    assertThat(page.row("Local error by layer", "1")).containsExactly("1", "2.18", "10.88"); // 87/40, 87/8
    assertThat(page.row("Throughput", "one").subList(1, 5))
        .containsExactly(Numbers.count(1244.5), Numbers.count(1235), Numbers.count(1254), "30.0 s");
  }

  @Test
  void aRunThatItsPatienceEndedIsFinished() {
    RunConfig config = RunFolders.config(PRESET);
    RunConfig patient =
        config.with(
            config.model().architecture(), config.model().losses(), config.training().batches(),
            Settings.over(Settings.partial(Schedule.class, "patience", 3), config.training().schedule()), null);
    List<EpochReport> epochs = new ArrayList<>(RunFolders.epochs(100, 2).subList(0, 4));
    for (int epoch = 5; epoch <= 7; epoch++) {
      EpochReport best = epochs.get(3);
      epochs.add(
          new EpochReport(
              epoch, 100, best.lr(), best.trainLoss(), best.trainError(), best.testLoss(), best.testError(),
              null, null, best.imagesPerSecond(), best.seconds(), best.blocks()));
    }
    Path early = RunFolders.write(folder.resolve("early"), patient, epochs);
    Path stopped = RunFolders.write(folder.resolve("stopped"), patient, epochs.subList(0, 6));
    PageReader page = page(early, stopped);
    assertThat(page.row("The runs", "1 early best")).contains("7 of 100, ended early");
    assertThat(page.row("The runs", "2 stopped")).contains("6 of 100, unfinished");
    assertThat(page.text())
        .contains("early: is finished; its patience of 3 epochs ended it")
        .doesNotContain("stopped: is finished");
  }

  @Test
  void everyChartHasALabelAndATable() {
    Path run = RunFolders.write(folder.resolve("run"), RunFolders.config(PRESET), RunFolders.epochs(9, 2));
    PageReader page = page(run);
    List<Element> charts =
        page.elements("svg").stream().filter(svg -> svg.getAttribute("role").equals("img")).toList();
    // Four curves, throughput; local error by layer and by epoch, both losses by epoch.
    assertThat(charts).hasSize(9);
    for (Element chart : charts) {
      assertThat(chart.getAttribute("aria-label")).containsPattern("from [0-9.\u202F]+ to [0-9.\u202F]+");
      assertThat(PageReader.elements(chart, "path")).isNotEmpty();
    }
    assertThat(page.elements("details")).hasSize(5 + 3 + 2); // tables of charts, of layers; the run in two sections
    assertThat(page.elements("h1")).hasSize(1);
    assertThat(page.elements("h2")).hasSize(7);
    for (Element heading : page.elements("th")) {
      assertThat(heading.getAttribute("scope")).isIn("row", "col");
    }
    for (Element link : page.elements("a")) {
      String target = link.getAttribute("href").substring(1);
      assertThat(page.elements("h2")).anyMatch(heading -> heading.getAttribute("id").equals(target));
    }
  }

  @Test
  void nothingIsFetchedAndNoScriptRuns() {
    Path run = RunFolders.write(folder.resolve("run"), RunFolders.config(PRESET), RunFolders.epochs(3, 2));
    String html = ReportPage.of(List.of(run), "test").html();
    assertThat(html).doesNotContain("http://", "https://", "url(", "@import", "<script", "<link");
    assertThat(html).contains("default-src 'none'");
    assertThat(html).isEqualTo(ReportPage.of(List.of(run), "test").html());
  }

  @Test
  void namesAreText() {
    String name = "a<b>&\"c\" 'ü\u0001";
    Path run = RunFolders.write(folder.resolve(name), RunFolders.config(PRESET), RunFolders.epochs(2, 1));
    List<String> classes = List.of("<i>cat</i>", "dog & \"wolf\"");
    RunFolders.write(
        run,
        new Evaluation(
            "mnist", classes, new int[][] {{3, 1}, {0, 4}},
            List.of(new Evaluation.Mistake(7, 0, 1, 0.75, RunFolders.PNG))));
    PageReader page = page(run);
    assertThat(page.elements("h1").get(0).getTextContent()).isEqualTo("Run a<b>&\"c\" 'ü\uFFFD");
    assertThat(page.elements("i")).isEmpty();
    assertThat(page.elements("b")).isEmpty();
    assertThat(page.row("Confusion matrix", "<i>cat</i>")).containsExactly("<i>cat</i>", "3", "1", "25.0");
    Element image = page.elements("img").get(0);
    assertThat(image.getAttribute("alt")).isEqualTo("test image 7");
    assertThat(page.row("Mistakes on mnist", "<i>cat</i>")).containsExactly("<i>cat</i>", "dog & \"wolf\" 75.0 %");
    assertThat(image.getAttribute("src")).startsWith("data:image/png;base64,iVBORw0KGgo");
  }

  @Test
  void confusionsAreCounted() {
    Path run = RunFolders.write(folder.resolve("run"), RunFolders.config(PRESET), RunFolders.epochs(2, 1));
    int[][] counts = {{90, 10, 0}, {3, 95, 2}, {0, 25, 75}};
    RunFolders.write(run, new Evaluation("mnist", List.of("x", "y", "z"), counts, List.of()));
    PageReader page = page(run);
    assertThat(page.text()).contains("40 of 300 test images of mnist are taken for another class: 13.33 %.");
    assertThat(page.text()).contains("The last epoch's test error was 26.50 %");
    assertThat(page.table("Confusion matrix").get(0)).containsExactly("True class", "x", "y", "z", "error, %");
    assertThat(page.row("Confusion matrix", "z")).containsExactly("z", "0", "25", "75", "25.0");
    assertThat(page.table("Most confused classes"))
        .containsExactly(
            List.of("True class", "Taken for", "Images", "Share of the class, %"), List.of("z", "y", "25", "25.0"),
            List.of("x", "y", "10", "10.0"), List.of("y", "x", "3", "3.0"), List.of("y", "z", "2", "2.0"));
    assertThat(page.text()).contains("There are none on mnist.");
  }

  @Test
  void earlyExitsAreACurve() {
    Path run = RunFolders.write(folder.resolve("run"), RunFolders.config(PRESET), RunFolders.epochs(2, 1));
    Path old = RunFolders.write(folder.resolve("old"), RunFolders.config(PRESET), RunFolders.epochs(2, 1));
    int[][] counts = {{90, 10}, {5, 95}};
    EarlyExits exits =
        new EarlyExits(
            List.of("layers.0", "layer_out"), 2_000_000,
            List.of(
                new EarlyExits.Point(0.5, 9.5, 1_500_000, new double[] {0.9, 0.1}),
                new EarlyExits.Point(1, 7.5, 2_100_000, new double[] {0, 1})));
    RunFolders.write(run, new Evaluation("mnist", List.of("x", "y"), counts, List.of(), 3.25, exits, null));
    RunFolders.write(old, new Evaluation("mnist", List.of("x", "y"), counts, List.of()));
    PageReader page = page(run, old);
    assertThat(page.table("Early exits of run"))
        .containsExactly(
            List.of(
                "Probability", "Error, %", "MFLOP per image", "% of the network's", "stopped at layers.0, %",
                "stopped at layer_out, %"),
            List.of("0.5", "9.50", "1.5", "75.0", "90.0", "10.0"), List.of("1", "7.50", "2.100", "105.0", "0.0", "100.0"));
    assertThat(page.text())
        .contains("Test error over cost with early exits")
        .contains("The class is not among the five likeliest for 3.25 %.");
    assertThat(page(old).text()).doesNotContain("Early exits", "five likeliest");
  }

  @Test
  void manyClassesAreAPicture() throws IOException {
    Path run = RunFolders.write(folder.resolve("run"), RunFolders.config(PRESET), RunFolders.epochs(2, 1));
    int[][] counts = new int[100][100];
    for (int i = 0; i < 100; i++) {
      counts[i][i] = 100 - i;
      counts[i][(i + 1) % 100] = i;
    }
    List<String> names = IntStream.range(0, 100).mapToObj(i -> "class " + i).toList();
    RunFolders.write(run, new Evaluation("cifar-100", names, counts, List.of()));
    PageReader page = page(run);
    Element map =
        page.elements("img").stream().filter(image -> image.getAttribute("alt").startsWith("Confusion")).findFirst()
            .orElseThrow();
    String data = map.getAttribute("src").substring("data:image/png;base64,".length());
    BufferedImage seen = ImageIO.read(new ByteArrayInputStream(Base64.getDecoder().decode(data)));
    assertThat(seen.getWidth()).isEqualTo(100);
    assertThat(alpha(seen, 0, 0)).isEqualTo(255); // column, row
    assertThat(alpha(seen, 99, 99)).isEqualTo(3);
    assertThat(alpha(seen, 0, 99)).isEqualTo(255); // class 99 is taken for class 0
    assertThat(alpha(seen, 5, 0)).isZero();
    assertThat(page.table("Classes of run").subList(1, 3))
        .containsExactly(List.of("class 99", "99", "100", "99.0"), List.of("class 98", "98", "100", "98.0"));
    assertThat(page.text()).doesNotContain("a row per true class");
  }

  private static int alpha(BufferedImage image, int column, int row) {
    return image.getRGB(column, row) >>> 24;
  }

  @Test
  void validationIsACurveAndDecidesWhichRunIsBest() {
    Path one = RunFolders.write(folder.resolve("one"), RunFolders.config(PRESET), validated(RunFolders.epochs(4, 2), 9));
    Path two = RunFolders.write(folder.resolve("two"), RunFolders.config(PRESET), validated(RunFolders.epochs(3, 2), 6));
    Path plain = RunFolders.write(folder.resolve("plain"), RunFolders.config(PRESET), RunFolders.epochs(4, 2));
    PageReader page = page(one, two);
    assertThat(page.row("Validation error", "3")).containsExactly("3", "3.00", "2.00"); // 9/3, 6/3
    assertThat(page.row("Validation loss", "3")).containsExactly("3", "0.3000", "0.2000");
    // The one with the higher test error.
    assertThat(page.text())
        .contains("two is the best of 2 runs of mnist by its lowest validation error: 2.00 %, with a test error of 17.67 %");
    assertThat(page.row("The runs", "1 one")).contains("2.25");
    assertThat(page.row("The runs", "2 two best").subList(5, 8)).containsExactly("2.00", "17.67", "17.67");
    PageReader mixed = page(two, plain);
    assertThat(mixed.text())
        .contains("plain is the best of 2 runs of mnist by its model's test error, because not all of them have a"
            + " validation error: 13.25 %");
    assertThat(mixed.row("Validation error", "3")).containsExactly("3", "2.00", "–");
    assertThat(page(plain).text()).doesNotContain("Validation error", "is the best");
  }

  private static List<EpochReport> validated(List<EpochReport> epochs, double error) {
    return epochs.stream()
        .map(
            epoch ->
                new EpochReport(
                    epoch.epoch(), epoch.epochs(), epoch.lr(), epoch.trainLoss(), epoch.trainError(), epoch.testLoss(),
                    epoch.testError(), error / 10 / epoch.epoch(), error / epoch.epoch(), epoch.imagesPerSecond(),
                    epoch.seconds(), epoch.blocks()))
        .toList();
  }

  @Test
  void chartsOfAQuantityHaveOneAxis() {
    Path low = RunFolders.write(folder.resolve("low"), RunFolders.config(PRESET), RunFolders.epochs(40, 2));
    Path high = RunFolders.write(folder.resolve("high"), RunFolders.config(PRESET), RunFolders.epochs(2, 2));
    PageReader page = page(low, high);
    for (String title : List.of("Local error by epoch", "Similarity loss by epoch", "Prediction loss by epoch")) {
      List<List<String>> scales =
          page.elements("figure").stream()
              .filter(figure -> PageReader.elements(figure, "figcaption").get(0).getTextContent().equals(title))
              .map(
                  figure -> PageReader.elements(figure, "text").stream()
                      .filter(text -> text.getAttribute("x").equals("-8"))
                      .map(text -> text.getTextContent() + " at " + text.getAttribute("y"))
                      .toList())
              .toList();
      assertThat(scales).as(title).hasSize(2);
      assertThat(scales.get(0)).as(title).isEqualTo(scales.get(1)).hasSizeGreaterThan(1);
    }
  }

  @Test
  void layersHaveTestErrorsAndTheOutputLayerAName() {
    Path run = RunFolders.write(folder.resolve("run"), RunFolders.config(PRESET), RunFolders.epochs(2, 2));
    Path deeper = RunFolders.write(folder.resolve("deeper"), RunFolders.config(PRESET), RunFolders.epochs(2, 3));
    RunFolders.write(
        run,
        new Evaluation(
            "mnist", List.of("x"), new int[][] {{1}}, List.of(), null, null,
            List.of(
                new Evaluation.LayerError("layers.0", 9.25), new Evaluation.LayerError("layers.1", 7.5),
                new Evaluation.LayerError("layer_out", 6.25))));
    PageReader page = page(run, deeper);
    assertThat(page.row("Local error of each layer of run", "2 layers.1")).endsWith("7.50");
    assertThat(page.row("Local error of each layer of run", "output layer")).endsWith("6.25");
    assertThat(page.row("Local error of each layer of deeper", "output layer")).hasSize(3);
    // Outputs stand behind the deepest network's last layer.
    assertThat(page.row("Local error by layer", "3")).containsExactly("3", "–", "10.88");
    assertThat(page.row("Local error by layer", "output")).containsExactly("output", "30.50", "30.50");
    assertThat(page.elements("text")).anyMatch(text -> text.getTextContent().equals("output"));
  }

  @Test
  void sessionsTellWhenWhereAndHow() throws IOException {
    Path run = RunFolders.write(folder.resolve("run"), RunFolders.config(PRESET), RunFolders.epochs(2, 1));
    Path old = RunFolders.write(folder.resolve("old"), RunFolders.config(PRESET), RunFolders.epochs(2, 1));
    assertThat(page(old).text()).contains("was not recorded");
    Files.writeString(
        run.resolve("sessions.json"),
        "[{\"started\":\"2026-05-04T09:30:00Z\",\"machine\":\"A processor, 8 threads\",\"command\":\"layerwise train\",\"later\":1},"
            + "null,{},{\"started\":\"<b>\"}]");
    PageReader page = page(run, old);
    assertThat(page.table("When, where").subList(1, 4))
        .containsExactly(
            List.of("1 run", "2026-05-04 09:30", "A processor, 8 threads", "layerwise train", "–"),
            List.of("1 run", "<b>", "–", "–", "–"), List.of("2 old", "not recorded", "–", "–", "–"));
    for (String damaged : List.of("", "null", "{}", "[1]", "[")) {
      Files.writeString(run.resolve("sessions.json"), damaged);
      assertThat(page(run).text()).contains("was not recorded");
    }
  }

  @Test
  void mistakesOfManyRunsAreOneTable() {
    Path[] runs = new Path[24];
    for (int i = 0; i < runs.length; i++) {
      runs[i] = RunFolders.write(folder.resolve("run" + i), RunFolders.config(PRESET), RunFolders.epochs(3, 2));
      RunFolders.write(
          runs[i],
          new Evaluation(
              "mnist", List.of("zero", "one", "two"), new int[][] {{9, 1, 0}, {2, 8, 0}, {0, 0, 9}},
              i % 2 == 0
                  ? List.of(new Evaluation.Mistake(3, 0, 1, 0.9, RunFolders.PNG))
                  : List.of(
                      new Evaluation.Mistake(3, 0, 2, 0.8, RunFolders.PNG),
                      new Evaluation.Mistake(5, 2, 1, 0.99, RunFolders.PNG))));
    }
    PageReader page = page(runs);
    assertThat(page.elements("img")).hasSize(2); // each image once
    assertThat(page.table("Mistakes on mnist")).hasSize(3);
    assertThat(page.table("Mistakes on mnist").get(1)).hasSize(25).startsWith("zero", "one 90.0 %", "two 80.0 %");
    assertThat(page.table("Mistakes on mnist").get(2)).startsWith("two", "–", "one 99.0 %");
    // Only the best one, of each part, is unfolded.
    assertThat(page.elements("details").stream().filter(part -> part.hasAttribute("open"))).hasSize(2);
    for (Element row : page.elements("tr")) {
      assertThat(PageReader.elements(row, "td").size()).isLessThanOrEqualTo(24);
    }
  }

  @Test
  void ofSeveralRunsADamagedOneIsLeftOut() throws IOException {
    Path good = RunFolders.write(folder.resolve("good"), RunFolders.config(PRESET), RunFolders.epochs(3, 2));
    Path bad = RunFolders.write(folder.resolve("bad"), RunFolders.config(PRESET), RunFolders.epochs(3, 2));
    Files.writeString(bad.resolve("metrics.jsonl"), "garbage\n");
    ReportPage page = ReportPage.of(List.of(good, bad), "test");
    assertThat(page.remarks()).singleElement().asString().contains("bad is left out: ", "metrics.jsonl is damaged: line 1");
    assertThat(page.html()).contains("Run good", "bad is left out");
    assertThatThrownBy(() -> ReportPage.of(List.of(bad), "test")).hasMessageContaining("metrics.jsonl is damaged");
  }

  @Test
  void whatIsMissingIsSaid() throws IOException {
    Path stopped = RunFolders.write(folder.resolve("stopped"), RunFolders.config(PRESET), List.of());
    Path finished = RunFolders.write(folder.resolve("finished"), RunFolders.config(PRESET), RunFolders.epochs(2, 1));
    Files.writeString(finished.resolve("model.safetensors"), "");
    PageReader page = page(stopped, finished);
    assertThat(page.text())
        .contains("stopped: no epoch is finished yet")
        .contains("The run is not finished; what its model predicts is saved at its end.")
        .contains("layerwise evaluate --save " + finished, "save it, and write the report again");
    assertThat(page.row("The runs", "1 stopped").subList(4, 10))
        .containsExactly("0 of 100, unfinished", "–", "–", "0.62", "–", "–");
    page(stopped); // nothing at all to draw
  }

  @Test
  void publishedErrorsStandBesideRunsOfTheirSettings() {
    RunConfig recipe = RunFolders.config(PRESET);
    Path same = RunFolders.write(folder.resolve("same"), recipe, RunFolders.epochs(100, 3));
    Path seed = RunFolders.write(
        folder.resolve("seed"),
        new RunConfig(
            recipe.model(), recipe.optimizer(), recipe.training().withSeed(9), DeviceOptions.of("reference", 3)),
        RunFolders.epochs(40, 3));
    Path shorter = RunFolders.write(
        folder.resolve("shorter"),
        new RunConfig(recipe.model(), recipe.optimizer(), recipe.training().stretched(0.1), recipe.device()),
        RunFolders.epochs(10, 3));
    Path other = RunFolders.write(
        folder.resolve("other"),
        new RunConfig(
            recipe.model(), Settings.with(Optimizer.DEFAULT, "optim", "sgd", "momentum", 0.9), recipe.training(),
            recipe.device()),
        RunFolders.epochs(10, 3));
    PageReader page = page(same, seed, shorter, other);
    List<String> published =
        List.of("1 same", "2 seed", "3 shorter", "4 other").stream()
            .map(run -> page.table("The runs").stream().filter(row -> row.get(0).startsWith(run)).findFirst()
                .orElseThrow().get(7))
            .toList();
    assertThat(published).containsExactly("0.62", "0.62", "0.62", "–");
    assertThat(page.text())
        .contains("same has the settings of the published run mnist-mlp-predsim (0.62 % after 100 epochs).")
        .contains("seed has the settings of the published run mnist-mlp-predsim (0.62 % after 100 epochs); it has"
            + " come to epoch 40.")
        .contains("shorter has the settings of the published run mnist-mlp-predsim (0.62 % after 100 epochs), but"
            + " another schedule: its error is after 10 epochs.");
    assertThat(page.table("Settings that differ").get(0))
        .containsExactly(
            "Run", "optimizer.optim", "optimizer.momentum", "training.epochs", "training.lr_decay_milestones",
            "training.seed", "device.device", "device.threads");
    assertThat(page.table("Settings that differ").stream().map(row -> row.get(4)))
        .containsExactly("training.lr_decay_milestones", "[50,75,89,94]", "[50,75,89,94]", "[5,8,9,9]", "[50,75,89,94]");
    assertThat(page.row("Settings that all runs share", "training.batch_size")).containsExactly("training.batch_size", "128");
  }

  @Test
  void longRunsOfDeepNetworksStaySmall() {
    Path[] runs = new Path[2];
    for (int i = 0; i < runs.length; i++) {
      runs[i] = RunFolders.write(folder.resolve("run" + i), RunFolders.config(PRESET), RunFolders.epochs(600, 30));
    }
    String html = ReportPage.of(Arrays.asList(runs), "test").html();
    // 2 · 3 · 31 lines over epochs of at most 162 points of 13 characters; half as much for everything else.
    assertThat(html.length()).isLessThan(2 * 3 * 31 * 162 * 13 * 3 / 2);
    PageReader page = new PageReader(html);
    assertThat(page.table("Test error")).hasSize(1 + Figures.TABLE_EPOCHS);
    for (Element legend : page.elements("ul")) {
      assertThat(PageReader.elements(legend, "li").size()).isLessThanOrEqualTo(12);
    }
  }

  private static PageReader page(Path... runs) {
    return new PageReader(ReportPage.of(List.of(runs), "test").html());
  }
}
