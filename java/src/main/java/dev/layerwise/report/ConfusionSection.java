package dev.layerwise.report;

import dev.layerwise.run.Evaluation;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/** Which classes a model takes for which others. */
final class ConfusionSection {
  /** Of more classes the matrix shows those with the most mistakes. */
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
    List<Integer> classes = classesToShow(counts);
    page.open("div", "class", "beside");
    writeMatrix(page, run, classes);
    writePairs(page, run);
    page.close();
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
    return last.equals(error)
        ? text
        : text + " The last epoch's test error was " + last
            + " %: this evaluation is of another model, data set or device.";
  }

  /** All classes, or those with the most mistakes, in the order of the labels. */
  private static List<Integer> classesToShow(int[][] counts) {
    return IntStream.range(0, counts.length)
        .boxed()
        .sorted(Comparator.comparingLong(row -> -(total(counts[row]) - counts[row][row])))
        .limit(MOST_CLASSES)
        .sorted()
        .toList();
  }

  private static void writeMatrix(Markup page, Run run, List<Integer> classes) {
    List<String> names = run.evaluation().classNames();
    int[][] counts = run.evaluation().confusionMatrix();
    boolean some = classes.size() < names.size();
    Tables.open(
        page,
        "Confusion matrix of " + run.name() + ": a row per true class, a column per predicted class, entries: images"
            + (some ? "; the " + classes.size() + " of " + names.size() + " classes with the most mistakes" : ""),
        "matrix");
    List<String> headings = new ArrayList<>(List.of("True class"));
    classes.forEach(column -> headings.add(names.get(column)));
    if (some) {
      headings.add("others");
    }
    headings.add("error, %");
    Tables.writeHeadings(page, headings);
    page.open("tbody");
    for (int row : classes) {
      long total = total(counts[row]);
      page.open("tr").element("th", names.get(row), "scope", "row");
      long shown = 0;
      for (int column : classes) {
        shown += counts[row][column];
        writeCount(page, counts[row][column], total, row == column);
      }
      if (some) {
        writeCount(page, total - shown, total, false);
      }
      String error = total == 0 ? "–" : Numbers.fixed(100.0 * (total - counts[row][row]) / total, 1);
      page.element("td", error, "class", "error").close();
    }
    page.close();
    Tables.close(page);
  }

  /** A cell, the stronger colored the larger its share of the true class; a few per cent must be seen already. */
  private static void writeCount(Markup page, long count, long total, boolean right) {
    if (count == 0) {
      page.element("td", "0", "class", "none");
      return;
    }
    double share = (double) count / total;
    double strength = right ? share : Math.min(1, Math.sqrt(share / 0.25));
    page.element(
        "td", Long.toString(count), "class", right ? "right" : "wrong", "style",
        String.format(Locale.ROOT, "--strength:%d%%", Math.round(100 * strength)));
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
