package dev.layerwise.report;

import dev.layerwise.run.Evaluation;
import dev.layerwise.run.Evaluation.Mistake;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;

/** Images that models took for other classes: a row for each image, a column for each run. */
final class MistakesSection {
  private static final int MOST_IMAGES = 24;

  private MistakesSection() {}

  /** Two runs have seen the same image if it has this number and class in the same data. */
  private record Image(int number, int label) {}

  /** What each run took an image for; {@code null} where it is not among the run's recorded mistakes. */
  private record Row(Image image, Mistake[] mistakes) {
    long runs() {
      return IntStream.range(0, mistakes.length).filter(i -> mistakes[i] != null).count();
    }

    double probability() {
      return Arrays.stream(mistakes).filter(Objects::nonNull).mapToDouble(Mistake::probability).max().orElse(0);
    }

    byte[] png() {
      return Arrays.stream(mistakes).filter(Objects::nonNull).findFirst().orElseThrow().png();
    }
  }

  static void write(Markup page, List<Run> runs) {
    page.element(
        "p",
        "The test images of which a network was most certain, and wrong: the class that it took the image for, and the"
            + " probability that it gave this class. Of each run the " + Evaluation.MOST_MISTAKES + " most certain mistakes are"
            + " recorded; a dash stands where an image is not among them. First come the images that most runs mistake.");
    Map<List<Object>, List<Integer>> byData = new LinkedHashMap<>();
    for (int i = 0; i < runs.size(); i++) {
      if (runs.get(i).evaluation() != null) {
        List<Object> key = List.of(runs.get(i).evaluation().dataset(), runs.get(i).evaluation().classNames(), runs.get(i).dataKey());
        byData.computeIfAbsent(key, data -> new ArrayList<>()).add(i);
      }
    }
    if (byData.isEmpty()) {
      page.element("p", "No run has recorded any.");
    }
    byData.forEach((key, numbers) -> write(page, (String) key.get(0), runs, numbers));
  }

  private static void write(Markup page, String data, List<Run> runs, List<Integer> numbers) {
    List<Row> rows = rows(runs, numbers);
    List<Row> shown = rows.subList(0, Math.min(MOST_IMAGES, rows.size()));
    String caption =
        "Mistakes on " + data + (shown.size() < rows.size() ? ", " + shown.size() + " of " + rows.size() + " images" : "");
    if (rows.isEmpty()) {
      page.element("p", "There are none on " + data + ".");
      return;
    }
    Tables.open(page, caption, "mistakes");
    page.open("thead").open("tr").element("th", "Image", "scope", "col");
    for (int number : numbers) {
      page.open("th", "scope", "col", "title", runs.get(number).name());
      Figures.writeKey(page, Figures.key(number, runs.get(number)));
      page.text((number + 1) + " ").element("span", runs.get(number).name()).close();
    }
    page.close().close().open("tbody");
    for (Row row : shown) {
      List<String> names = runs.get(numbers.get(firstOf(row))).evaluation().classNames();
      writeRow(page, row, names);
    }
    page.close();
    Tables.close(page);
  }

  private static int firstOf(Row row) {
    return IntStream.range(0, row.mistakes().length).filter(i -> row.mistakes()[i] != null).findFirst().orElseThrow();
  }

  private static List<Row> rows(List<Run> runs, List<Integer> numbers) {
    Map<Image, Row> rows = new LinkedHashMap<>();
    for (int column = 0; column < numbers.size(); column++) {
      for (Mistake mistake : runs.get(numbers.get(column)).evaluation().mistakes()) {
        rows.computeIfAbsent(
                new Image(mistake.image(), mistake.label()), image -> new Row(image, new Mistake[numbers.size()]))
            .mistakes()[column] = mistake;
      }
    }
    return rows.values().stream()
        .sorted(Comparator.comparingLong(Row::runs).thenComparingDouble(Row::probability).reversed())
        .toList();
  }

  private static void writeRow(Markup page, Row row, List<String> names) {
    String label = names.get(row.image().label());
    page.open("tr").open("th", "scope", "row").open("span", "class", "sample");
    page.empty(
        "img", "alt", "test image " + row.image().number(), "src",
        "data:image/png;base64," + Base64.getEncoder().encodeToString(row.png()));
    page.element("span", label).close().close();
    for (Mistake mistake : row.mistakes()) {
      if (mistake == null) {
        page.element("td", "–", "class", "none");
      } else {
        page.open("td").element("span", names.get(mistake.predicted()), "class", "predicted");
        page.text(" ").element("span", Numbers.fixed(100 * mistake.probability(), 1) + " %", "class", "gist").close();
      }
    }
    page.close();
  }
}
