package dev.layerwise.train;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.model.LayerCosts;
import dev.layerwise.run.EarlyExits;
import dev.layerwise.run.Evaluation;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;

/**
 * Counts the mistakes of a network's classifiers: of each alone, of the mean of the last ones' probabilities, and of the
 * first that is certain enough. Of several processes, each counts its own batches.
 */
public final class ClassifierTally implements Evaluator.BatchConsumer {
  private final int classes;
  private final List<String> layers;
  private final long networkFlops;
  private final long[] flops; // until each classifier
  private final double[] confidences;
  private final Counts counts;

  /**
   * What was counted.
   *
   * @param images seen
   * @param single mistakes of each classifier, in their order
   * @param averages mistakes of the mean of the last classifiers, of 1, 2, … of them
   * @param exits mistakes at each confidence
   * @param stopped at each confidence, and there at each classifier, images that stop
   */
  record Counts(
      @JsonProperty("images") int[] images,
      @JsonProperty("single") int[] single,
      @JsonProperty("averages") int[] averages,
      @JsonProperty("exits") int[] exits,
      @JsonProperty("stopped") int[][] stopped) {
    Counts(int classifiers, int confidences) {
      this(
          new int[1], new int[classifiers], new int[classifiers], new int[confidences],
          new int[confidences][classifiers]);
    }

    private void add(Counts other) {
      add(images, other.images);
      add(single, other.single);
      add(averages, other.averages);
      add(exits, other.exits);
      for (int i = 0; i < stopped.length; i++) {
        add(stopped[i], other.stopped[i]);
      }
    }

    private static void add(int[] sum, int[] values) {
      for (int i = 0; i < sum.length; i++) {
        sum[i] += values[i];
      }
    }
  }

  /**
   * Begins to count.
   *
   * @param confidences with which an image stops, each 0 to 1
   */
  public ClassifierTally(DeviceNetwork network, List<Double> confidences) {
    this(
        network.config().classes(), network.classifiers().stream().map(at -> network.layers().get(at).name()).toList(),
        LayerCosts.flops(network), LayerCosts.flopsUntilClassifiers(network), confidences);
  }

  ClassifierTally(int classes, List<String> layers, long networkFlops, long[] flops, List<Double> confidences) {
    this.classes = classes;
    this.layers = layers;
    this.networkFlops = networkFlops;
    this.flops = flops;
    this.confidences = confidences.stream().mapToDouble(Double::doubleValue).toArray();
    counts = new Counts(flops.length, this.confidences.length);
  }

  @Override
  public void accept(int number, ImageFeed.Pass batch, List<float[]> logits) {
    for (int i = 0; i < batch.count(); i++) {
      add(batch.label(i), logits, i * classes);
    }
  }

  /**
   * Counts an image.
   *
   * @param logits of all classifiers
   * @param from where in each of them the image's begin
   */
  void add(int label, List<float[]> logits, int from) {
    counts.images[0]++;
    int last = flops.length - 1;
    double[] sum = new double[classes];
    double[] certain = new double[flops.length];
    boolean[] wrong = new boolean[flops.length];
    for (int i = last; i >= 0; i--) {
      double[] probabilities = Probabilities.softmax(logits.get(i), from, classes);
      int choice = Probabilities.largest(logits.get(i), from, classes);
      certain[i] = probabilities[choice];
      wrong[i] = choice != label;
      counts.single[i] += wrong[i] ? 1 : 0;
      addTo(sum, probabilities);
      counts.averages[last - i] += Probabilities.largest(sum) == label ? 0 : 1;
    }
    for (int at = 0; at < confidences.length; at++) {
      int stop = stop(layer -> certain[layer], confidences[at]);
      counts.stopped[at][stop]++;
      counts.exits[at] += wrong[stop] ? 1 : 0;
    }
  }

  /** What these processes have counted together; all of them call it, and all of them get it. */
  Counts all(Communicator processes) {
    Counts all = new Counts(flops.length, confidences.length);
    processes.gather(counts, Counts.class).forEach(all::add);
    return all;
  }

  /** Chooses the classifiers that make the fewest mistakes on these images; all processes call it. */
  public ClassifierChoice choose(ClassifierChoice.Kind kind, Communicator processes) {
    Counts all = all(processes);
    boolean single = kind == ClassifierChoice.Kind.BEST;
    int fewest = IntStream.of(single ? all.single : all.averages).min().orElseThrow();
    int last = flops.length - 1;
    int first =
        IntStream.rangeClosed(0, last)
            .map(i -> last - i)
            .filter(i -> (single ? all.single[i] : all.averages[last - i]) == fewest)
            .findFirst()
            .orElseThrow();
    return new ClassifierChoice(
        kind, single ? List.of(layers.get(first)) : layers.subList(first, layers.size()),
        100.0 * fewest / all.images[0], all.images[0]);
  }

  /** What a choice errs on of these images, in percent; all processes call it. */
  public double error(ClassifierChoice choice, Communicator processes) {
    Counts all = all(processes);
    int wrong =
        choice.kind() == ClassifierChoice.Kind.BEST
            ? all.single[layers.indexOf(choice.layers().get(0))]
            : all.averages[choice.layers().size() - 1];
    return 100.0 * wrong / all.images[0];
  }

  /** What each classifier errs on, of these processes together; all of them call it. */
  public List<Evaluation.LayerError> layerErrors(Communicator processes) {
    Counts all = all(processes);
    return IntStream.range(0, layers.size())
        .mapToObj(i -> new Evaluation.LayerError(layers.get(i), 100.0 * all.single[i] / all.images[0]))
        .toList();
  }

  /** What the network answers by a choice: one classifier's logits, or the logarithm of several ones' mean probabilities. */
  public ImageLogits.Answer answer(ClassifierChoice choice) {
    int first = layers.indexOf(choice.layers().get(0));
    if (choice.kind() == ClassifierChoice.Kind.BEST) {
      ImageLogits.Answer ofLast = ImageLogits.Answer.ofOutput(classes);
      return (logits, from) -> ofLast.of(logits.subList(0, first + 1), from);
    }
    return (logits, from) -> {
      double[] sum = new double[classes];
      for (int i = layers.size() - 1; i >= first; i--) {
        addTo(sum, Probabilities.softmax(logits.get(i), from, classes));
      }
      return Arrays.stream(sum).map(of -> Math.log(of / (layers.size() - first))).toArray();
    };
  }

  /** What the network answers if an image stops at the first classifier with such a confidence: that one's logits. */
  public ImageLogits.Answer answer(double confidence) {
    ImageLogits.Answer ofLast = ImageLogits.Answer.ofOutput(classes);
    return (logits, from) -> {
      int stop = stop(layer -> certainty(logits.get(layer), from), confidence);
      return ofLast.of(logits.subList(0, stop + 1), from);
    };
  }

  /** The first classifier with this confidence, or the last. */
  private int stop(IntToDoubleFunction certainty, double confidence) {
    int stop = 0;
    while (stop < flops.length - 1 && !(certainty.applyAsDouble(stop) >= confidence)) {
      stop++;
    }
    return stop;
  }

  private static void addTo(double[] sum, double[] values) {
    for (int i = 0; i < sum.length; i++) {
      sum[i] += values[i];
    }
  }

  /** The probability of an image's first choice. */
  private double certainty(float[] logits, int from) {
    return Probabilities.softmax(logits, from, classes)[Probabilities.largest(logits, from, classes)];
  }

  /**
   * The curve of error over cost, of these processes together; all of them call it.
   *
   * @return {@code null} if only the output layer classifies
   */
  public EarlyExits earlyExits(Communicator processes) {
    Counts all = all(processes);
    if (flops.length == 1) {
      return null;
    }
    double images = all.images[0];
    return new EarlyExits(
        layers, networkFlops,
        IntStream.range(0, confidences.length)
            .mapToObj(
                at -> {
                  int[] stopped = all.stopped[at];
                  double sum = IntStream.range(0, flops.length).mapToDouble(i -> (double) stopped[i] * flops[i]).sum();
                  return new EarlyExits.Point(
                      confidences[at], 100 * all.exits[at] / images, sum / images,
                      Arrays.stream(stopped).mapToDouble(count -> count / images).toArray());
                })
            .toList());
  }
}
