package dev.layerwise.report;

import dev.layerwise.run.EpochReport;
import dev.layerwise.run.Evaluation;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;

/** Which classes a model takes for which others. */
final class ConfusionSection {
  /** Of more classes the matrix is a picture. */
  private static final int MOST_CLASSES = 20;

  private static final int WORST_PAIRS = 10;

  private ConfusionSection() {}

  private record Pair(int label, int predicted, int images) {}

  static void write(Markup page, Run run) {
    Evaluation evaluation = run.evaluation();
    int[][] counts = evaluation.confusionMatrix();
    long images = Arrays.stream(counts).flatMapToInt(Arrays::stream).asLongStream().sum();
    long wrong = images - IntStream.range(0, counts.length).mapToLong(i -> counts[i][i]).sum();
    page.element("p", summary(run, images, wrong));
    if (images == 0) {
      return;
    }
    boolean picture = counts.length > MOST_CLASSES;
    page.open("div", "class", "beside");
    if (picture) {
      HeatMap.write(page, run.name(), run.evaluation().classNames(), counts);
    } else {
      writeMatrix(page, run);
    }
    writePairs(page, run);
    page.close();
    if (picture) {
      writeClasses(page, run);
    }
  }

  /** A few words about a run's evaluation. */
  static String gist(Run run) {
    if (run.evaluation() == null) {
      return "no evaluation";
    }
    int[][] counts = run.evaluation().confusionMatrix();
    long images = Arrays.stream(counts).mapToLong(ConfusionSection::total).sum();
    long right = IntStream.range(0, counts.length).mapToLong(i -> counts[i][i]).sum();
    return Numbers.count(images - right) + " mistakes of " + Numbers.count(images) + " test images of "
        + run.evaluation().dataset();
  }

  private static String summary(Run run, long images, long wrong) {
    String error = images == 0 ? "–" : Numbers.percent(100.0 * wrong / images);
    String text =
        String.format(
            Locale.ROOT, "%s of %s test images of %s are taken for another class: %s %%.", Numbers.count(wrong),
            Numbers.count(images), run.evaluation().dataset(), error);
    if (run.evaluation().top5Error() != null) {
      text += " The class is not among the five likeliest for " + Numbers.percent(run.evaluation().top5Error()) + " %.";
    }
    String last = run.last().map(epoch -> Numbers.percent(epoch.testError())).orElse("–");
    Optional<EpochReport> kept = run.modelEpoch();
    if (!kept.equals(run.last()) && kept.map(epoch -> Numbers.percent(epoch.testError())).orElseThrow().equals(error)) {
      return text + " The model is that of epoch " + kept.orElseThrow().epoch() + ", the best one.";
    }
    return last.equals(error)
        ? text
        : text + " The last epoch's test error was " + last
            + " %: this evaluation is of another model, data set or device.";
  }

  private static void writeMatrix(Markup page, Run run) {
    List<String> names = run.evaluation().classNames();
    int[][] counts = run.evaluation().confusionMatrix();
    Tables.open(
        page,
        "Confusion matrix of " + run.name() + ": a row per true class, a column per predicted class, entries: images",
        "matrix");
    List<String> headings = new ArrayList<>(List.of("True class"));
    headings.addAll(names);
    headings.add("error, %");
    Tables.writeHeadings(page, headings);
    page.open("tbody");
    for (int row = 0; row < counts.length; row++) {
      page.open("tr").element("th", names.get(row), "scope", "row");
      for (int column = 0; column < counts.length; column++) {
        writeCount(page, counts[row][column], total(counts[row]), row == column);
      }
      page.element("td", error(counts, row), "class", "error").close();
    }
    page.close();
    Tables.close(page);
  }

  /** What the heat map cannot say in numbers, the worst class first. */
  private static void writeClasses(Markup page, Run run) {
    List<String> names = run.evaluation().classNames();
    int[][] counts = run.evaluation().confusionMatrix();
    List<List<String>> rows =
        IntStream.range(0, counts.length)
            .boxed()
            .sorted(Comparator.comparingDouble(row -> -(1 - (double) counts[row][row] / Math.max(1, total(counts[row])))))
            .map(row -> List.of(names.get(row), "" + row, Numbers.count(total(counts[row])), error(counts, row)))
            .toList();
    Tables.writeFolded(
        page, "All " + counts.length + " classes as a table", "Classes of " + run.name() + ", those with the largest error first",
        List.of("True class", "Number", "Images", "Error, %"), rows);
  }

  private static String error(int[][] counts, int row) {
    long total = total(counts[row]);
    return total == 0 ? "–" : Numbers.fixed(100.0 * (total - counts[row][row]) / total, 1);
  }

  /** A cell, the stronger colored the larger its share of the true class; a few per cent must be seen already. */
  private static void writeCount(Markup page, long count, long total, boolean right) {
    if (count == 0) {
      page.element("td", "0", "class", "none");
      return;
    }
    double strength = strength((double) count / total, right);
    page.element(
        "td", Long.toString(count), "class", right ? "right" : "wrong", "style",
        String.format(Locale.ROOT, "--strength:%d%%", Math.round(100 * strength)));
  }

  /** From 0 to 1. */
  static double strength(double share, boolean right) {
    return right ? share : Math.min(1, Math.sqrt(share / 0.25));
  }

  private static void writePairs(Markup page, Run run) {
    int[][] counts = run.evaluation().confusionMatrix();
    List<String> names = run.evaluation().classNames();
    List<Pair> pairs = new ArrayList<>();
    for (int row = 0; row < counts.length; row++) {
      for (int column = 0; column < counts.length; column++) {
        if (row != column && counts[row][column] > 0) {
          pairs.add(new Pair(row, column, counts[row][column]));
        }
      }
    }
    pairs.sort(Comparator.comparingInt(Pair::images).reversed()); // stable: equal counts stay in the labels' order
    List<List<String>> rows = new ArrayList<>();
    for (Pair pair : pairs.subList(0, Math.min(WORST_PAIRS, pairs.size()))) {
      double share = 100.0 * pair.images() / total(counts[pair.label()]);
      rows.add(
          List.of(
              names.get(pair.label()), names.get(pair.predicted()), Numbers.count(pair.images()),
              Numbers.fixed(share, 1)));
    }
    if (!rows.isEmpty()) {
      Tables.write(
          page, "Most confused classes of " + run.name(),
          List.of("True class", "Taken for", "Images", "Share of the class, %"), rows);
    }
  }

  private static long total(int[] row) {
    return Arrays.stream(row).asLongStream().sum();
  }
}
