package dev.layerwise.report;

import dev.layerwise.run.Evaluation;
import java.util.Base64;
import java.util.List;

/** Images that a model took for another class. */
final class MistakesSection {
  private MistakesSection() {}

  static void write(Markup page, Run run) {
    List<Evaluation.Mistake> mistakes = run.evaluation().mistakes();
    List<String> names = run.evaluation().classNames();
    if (mistakes.isEmpty()) {
      page.element("p", "There are none.");
      return;
    }
    page.open("ul", "class", "mistakes");
    for (Evaluation.Mistake mistake : mistakes) {
      String label = names.get(mistake.label());
      String predicted = names.get(mistake.predicted());
      String probability = Numbers.fixed(100 * mistake.probability(), 1) + " %";
      page.open("li").open("figure");
      page.empty(
          "img", "alt", "test image " + mistake.image() + ": " + label + ", taken for " + predicted, "src",
          "data:image/png;base64," + Base64.getEncoder().encodeToString(mistake.png()));
      page.open("figcaption").element("span", label, "class", "true").text(" taken for ");
      page.element("span", predicted, "class", "predicted").text(" (" + probability + ")");
      page.close().close().close();
    }
    page.close();
  }
}
