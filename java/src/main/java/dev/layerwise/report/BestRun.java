package dev.layerwise.report;

import dev.layerwise.run.EpochReport;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/**
 * The best of the runs of a data set: by validation error if all of them have one, otherwise by test error.
 *
 * @param number of the run, counted from 0
 * @param reason a sentence that says by what it was chosen
 */
record BestRun(int number, String reason) {
  private static final int FEW = 3;

  /** One for each data set of which there are several runs with a finished epoch. */
  static List<BestRun> of(List<Run> runs) {
    Map<List<String>, List<Integer>> byData = new LinkedHashMap<>();
    for (int i = 0; i < runs.size(); i++) {
      if (!runs.get(i).epochs().isEmpty()) {
        byData.computeIfAbsent(runs.get(i).dataKey(), key -> new ArrayList<>()).add(i);
      }
    }
    List<BestRun> best = new ArrayList<>();
    byData.forEach((data, numbers) -> {
      if (numbers.size() > 1) {
        best.add(of(runs, data.get(0), numbers));
      }
    });
    return best;
  }

  private static BestRun of(List<Run> runs, String data, List<Integer> numbers) {
    boolean validated = numbers.stream().allMatch(i -> runs.get(i).validationError().isPresent());
    boolean some = numbers.stream().anyMatch(i -> runs.get(i).validationError().isPresent());
    ToDoubleFunction<Integer> error =
        validated ? i -> runs.get(i).validationError().orElseThrow() : i -> testError(runs.get(i));
    int number = numbers.stream().min(Comparator.comparingDouble(error)).orElseThrow();
    String by =
        validated ? "lowest validation error"
            : "model's test error" + (some ? ", because not all of them have a validation error" : "");
    return new BestRun(
        number,
        String.format(
            Locale.ROOT, "%s is the best of %d runs of %s by its %s: %s %%%s.", runs.get(number).name(), numbers.size(), data,
            by, Numbers.percent(error.applyAsDouble(number)),
            validated ? ", with a test error of " + Numbers.percent(runs.get(number).best().orElseThrow().testError())
                + " % after the same epoch"
                : ""));
  }

  private static double testError(Run run) {
    return run.modelEpoch().map(EpochReport::testError).orElseThrow();
  }

  /** Which runs are shown unfolded: all of a few, otherwise the best of each data set, and those that are alone on theirs. */
  static boolean[] unfolded(List<Run> runs) {
    List<BestRun> best = of(runs);
    boolean[] unfolded = new boolean[runs.size()];
    for (int i = 0; i < unfolded.length; i++) {
      int number = i;
      List<String> data = runs.get(i).dataKey();
      boolean alone = runs.stream().filter(run -> run.dataKey().equals(data)).count() == 1;
      unfolded[i] = runs.size() <= FEW || alone || best.stream().anyMatch(run -> run.number() == number);
    }
    return unfolded;
  }
}
