package dev.layerwise.model;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * How a network's layers are divided into the stages of a pipeline. A stage may begin where everything from there on reads
 * only what the layer before it gives: not inside a residual block.
 *
 * @param begins position of each stage's first layer, from 0, rising
 * @param layers how many the network has
 */
public record StageCuts(List<Integer> begins, int layers) {
  private static final Pattern STAGE = Pattern.compile("(\\d{1,6})(?:-(\\d{1,6})?)?");

  /** How many stages there are. */
  public int stages() {
    return begins.size();
  }

  /** The layers of a stage. */
  public LayerRange stage(int number) {
    return new LayerRange(begins.get(number), number + 1 < stages() ? begins.get(number + 1) : layers);
  }

  /** As the command line and config.json write them: {@code 0-2,3-7}. */
  @Override
  public String toString() {
    return IntStream.range(0, stages())
        .mapToObj(this::stage)
        .map(stage -> stage.end() - stage.begin() == 1 ? "" + stage.begin() : stage.begin() + "-" + (stage.end() - 1))
        .collect(Collectors.joining(","));
  }

  /**
   * Reads the text of {@link #toString}; the end of the last stage may be left out.
   *
   * @throws ModelException if the stages do not follow each other from the first layer to the last, or a stage begins where
   *     it may not
   */
  public static StageCuts parse(String text, List<LayerSpec> layers) {
    List<Integer> begins = new ArrayList<>();
    int next = 0;
    List<String> parts = Arrays.asList(text.split(",", -1));
    for (String part : parts) {
      Matcher stage = STAGE.matcher(part.strip());
      if (!stage.matches() || Integer.parseInt(stage.group(1)) != next) {
        throw invalid(text, layers);
      }
      boolean toTheEnd = part.strip().endsWith("-");
      int last = toTheEnd ? layers.size() - 1 : Integer.parseInt(stage.group(stage.group(2) == null ? 1 : 2));
      if (last < next || last >= layers.size()) {
        throw invalid(text, layers);
      }
      begins.add(next);
      next = last + 1;
    }
    StageCuts cuts = new StageCuts(List.copyOf(begins), layers.size());
    if (next != layers.size()) {
      throw invalid(text, layers);
    }
    for (int begin : begins) {
      if (!possibleBegins(layers).contains(begin)) {
        throw new ModelException(
            "no stage can begin with layer " + begin + " (" + layers.get(begin).name() + "), which lies inside a residual"
                + " block; stages can begin with the layers " + words(possibleBegins(layers)));
      }
    }
    return cuts;
  }

  private static ModelException invalid(String text, List<LayerSpec> layers) {
    return new ModelException(
        "the stages '" + text + "' do not divide the network's layers 0 to " + (layers.size() - 1)
            + "; write them in order and without gaps, such as 0-" + (layers.size() / 2 - 1) + "," + layers.size() / 2 + "-");
  }

  private static String words(List<Integer> numbers) {
    return numbers.stream().map(String::valueOf).collect(Collectors.joining(", "));
  }

  /** Positions of the layers with which a stage may begin. */
  static List<Integer> possibleBegins(List<LayerSpec> layers) {
    return IntStream.range(0, layers.size())
        .filter(begin -> IntStream.range(begin, layers.size()).allMatch(i -> readsFrom(layers.get(i), begin - 1)))
        .boxed().toList();
  }

  /** Whether a layer reads nothing that lies before a position, the images included. */
  private static boolean readsFrom(LayerSpec layer, int position) {
    return layer.input() >= position && (!layer.joinsShortcut() || layer.shortcut() >= position);
  }

  /**
   * The cuts whose slowest stage is the fastest.
   *
   * @param seconds that each layer takes for a step
   * @throws ModelException if the network cannot be divided into so many stages
   */
  public static StageCuts balanced(List<LayerSpec> layers, double[] seconds, int stages) {
    List<Integer> possible = possibleBegins(layers);
    if (stages > possible.size()) {
      throw new ModelException(
          "the network can be divided into at most " + possible.size() + " stages, fewer than " + stages
              + "; start fewer processes, or choose fewer stages");
    }
    double[] before = new double[layers.size() + 1];
    for (int i = 0; i < seconds.length; i++) {
      before[i + 1] = before[i] + seconds[i];
    }
    // slowest[s][p]: of the best division into s stages of what lies before possible begin p (or the end).
    int places = possible.size();
    int[] place = IntStream.concat(possible.stream().mapToInt(Integer::intValue), IntStream.of(layers.size())).toArray();
    double[][] slowest = new double[stages + 1][places + 1];
    int[][] lastBegin = new int[stages + 1][places + 1];
    for (double[] row : slowest) {
      Arrays.fill(row, Double.POSITIVE_INFINITY);
    }
    slowest[0][0] = 0;
    for (int s = 1; s <= stages; s++) {
      for (int p = s; p <= places; p++) {
        for (int from = s - 1; from < p; from++) {
          double worst = Math.max(slowest[s - 1][from], before[place[p]] - before[place[from]]);
          if (worst < slowest[s][p]) {
            slowest[s][p] = worst;
            lastBegin[s][p] = from;
          }
        }
      }
    }
    Integer[] begins = new Integer[stages];
    int end = places;
    for (int s = stages; s > 0; s--) {
      end = lastBegin[s][end];
      begins[s - 1] = place[end];
    }
    return new StageCuts(List.of(begins), layers.size());
  }

  /** What part of the time of all layers the slowest stage takes: 1 / (stages · balance). */
  public double slowestShare(double[] seconds) {
    double all = Arrays.stream(seconds).sum();
    return IntStream.range(0, stages())
        .mapToObj(this::stage)
        .mapToDouble(stage -> Arrays.stream(seconds, stage.begin(), stage.end()).sum())
        .max().orElse(all) / all;
  }
}
