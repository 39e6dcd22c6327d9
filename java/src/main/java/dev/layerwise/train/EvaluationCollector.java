package dev.layerwise.train;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.run.Evaluation;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;

/**
 * Counts what a network takes its test images for, and keeps the mistakes that it is most certain of. Of several processes,
 * each counts its own batches.
 */
public final class EvaluationCollector implements Evaluator.BatchConsumer {
  private static final Comparator<Evaluation.Mistake> MOST_CERTAIN_FIRST =
      Comparator.comparingDouble(Evaluation.Mistake::probability)
          .reversed()
          .thenComparingInt(Evaluation.Mistake::image);

  private static final int TOP = 5;

  private final DataSetInfo info;
  private final int batchSize;
  private final int[] usable; // images of each batch
  private final int[][] confusion;
  private final ClassifierTally tally;
  private int notAmongFive; // images whose class is not
  /** Their image number is the batch's times its size, plus the place among its usable images. */
  private final PriorityQueue<Evaluation.Mistake> mistakes = new PriorityQueue<>(MOST_CERTAIN_FIRST.reversed());

  /** What a process has counted. */
  private record Part(
      @JsonProperty("usable") int[] usable,
      @JsonProperty("confusion") int[][] confusion,
      @JsonProperty("not_among_five") int notAmongFive,
      @JsonProperty("mistakes") List<Evaluation.Mistake> mistakes) {}

  /**
   * Collects from a pass over a data set's test images.
   *
   * @param images how many there are, those included that cannot be used
   * @param tally counts what the network's classifiers take them for
   */
  public EvaluationCollector(DataSetInfo info, int images, int batchSize, ClassifierTally tally) {
    this.tally = tally;
    this.info = info;
    this.batchSize = batchSize;
    usable = new int[(images + batchSize - 1) / batchSize];
    confusion = new int[info.classes()][info.classes()];
  }

  @Override
  public void accept(int number, ImageFeed.Pass batch, List<float[]> ofClassifiers) {
    tally.accept(number, batch, ofClassifiers);
    float[] logits = ofClassifiers.get(ofClassifiers.size() - 1);
    int classes = info.classes();
    usable[number] = batch.count();
    for (int i = 0; i < batch.count(); i++) {
      int label = batch.label(i);
      int predicted = Probabilities.largest(logits, i * classes, classes);
      confusion[label][predicted]++;
      notAmongFive += likelierThan(label, logits, i * classes) < TOP ? 0 : 1;
      if (predicted == label) {
        continue;
      }
      double probability = probability(logits, i * classes, predicted);
      if (isAmongMostCertain(probability)) {
        byte[] png = ImageSamples.png(batch.pixels(i), info);
        mistakes.add(new Evaluation.Mistake(number * batchSize + i, label, predicted, probability, png));
        if (mistakes.size() > Evaluation.MOST_MISTAKES) {
          mistakes.remove();
        }
      }
    }
  }

  /** What these processes have seen together; all of them call it, and all of them get it. */
  public Evaluation evaluation(Communicator processes) {
    int[] begins = new int[usable.length + 1];
    int[][] counts = new int[info.classes()][info.classes()];
    List<Evaluation.Mistake> all = new ArrayList<>();
    int missed = 0;
    for (Part part : processes.gather(new Part(usable, confusion, notAmongFive, List.copyOf(mistakes)), Part.class)) {
      missed += part.notAmongFive();
      for (int batch = 0; batch < usable.length; batch++) {
        begins[batch + 1] += part.usable()[batch];
      }
      for (int label = 0; label < counts.length; label++) {
        for (int predicted = 0; predicted < counts.length; predicted++) {
          counts[label][predicted] += part.confusion()[label][predicted];
        }
      }
      all.addAll(part.mistakes());
    }
    Arrays.parallelPrefix(begins, Integer::sum);
    List<Evaluation.Mistake> kept =
        all.stream()
            .sorted(MOST_CERTAIN_FIRST)
            .limit(Evaluation.MOST_MISTAKES)
            .map(mistake -> mistake.numbered(begins[mistake.image() / batchSize] + mistake.image() % batchSize))
            .toList();
    Double top5Error =
        info.classes() < Evaluation.LEAST_CLASSES_FOR_TOP_5 ? null : (Double) (100.0 * missed / begins[usable.length]);
    return new Evaluation(
        info.name(), info.classNames(), counts, kept, top5Error, tally.earlyExits(processes), tally.layerErrors(processes));
  }

  /** How many classes come before an image's; of equally likely ones the first comes first. */
  private int likelierThan(int label, float[] logits, int from) {
    int count = 0;
    for (int i = 0; i < info.classes(); i++) {
      if (logits[from + i] > logits[from + label] || (i < label && logits[from + i] == logits[from + label])) {
        count++;
      }
    }
    return count;
  }

  private boolean isAmongMostCertain(double probability) {
    return mistakes.size() < Evaluation.MOST_MISTAKES || probability > mistakes.peek().probability();
  }

  /** Softmax of the largest of an image's logits. */
  private double probability(float[] logits, int from, int largest) {
    double sum = 0;
    for (int i = 0; i < info.classes(); i++) {
      sum += Math.exp(logits[from + i] - logits[from + largest]);
    }
    return 1 / sum;
  }
}
