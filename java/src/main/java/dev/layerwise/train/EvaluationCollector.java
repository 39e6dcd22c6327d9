package dev.layerwise.train;

import dev.layerwise.data.DataSetInfo;
import dev.layerwise.run.Evaluation;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;

/** Counts what a network takes its test images for, and keeps the mistakes that it is most certain of. */
public final class EvaluationCollector implements Evaluator.BatchConsumer {
  private static final Comparator<Evaluation.Mistake> MOST_CERTAIN_FIRST =
      Comparator.comparingDouble(Evaluation.Mistake::probability)
          .reversed()
          .thenComparingInt(Evaluation.Mistake::image);

  private final DataSetInfo info;
  private final int[][] confusion;
  private final PriorityQueue<Evaluation.Mistake> mistakes = new PriorityQueue<>(MOST_CERTAIN_FIRST.reversed());
  private int images;

  /** Collects from a pass over a data set's test images. */
  public EvaluationCollector(DataSetInfo info) {
    this.info = info;
    confusion = new int[info.classes()][info.classes()];
  }

  @Override
  public void accept(ImageFeed.Pass batch, float[] logits) {
    int classes = info.classes();
    for (int i = 0; i < batch.count(); i++, images++) {
      int label = batch.label(i);
      int predicted = largest(logits, i * classes, classes);
      confusion[label][predicted]++;
      if (predicted == label) {
        continue;
      }
      double probability = probability(logits, i * classes, predicted);
      if (isAmongMostCertain(probability)) {
        byte[] png = ImageSamples.png(batch.pixels(i), info);
        mistakes.add(new Evaluation.Mistake(images, label, predicted, probability, png));
        if (mistakes.size() > Evaluation.MOST_MISTAKES) {
          mistakes.remove();
        }
      }
    }
  }

  /** What has been seen. */
  public Evaluation evaluation() {
    List<Evaluation.Mistake> kept = new ArrayList<>(mistakes);
    kept.sort(MOST_CERTAIN_FIRST);
    return new Evaluation(info.name(), info.classNames(), confusion, kept);
  }

  private boolean isAmongMostCertain(double probability) {
    return mistakes.size() < Evaluation.MOST_MISTAKES || probability > mistakes.peek().probability();
  }

  /** Position of the first largest of some values. */
  private static int largest(float[] values, int from, int count) {
    int best = 0;
    for (int i = 1; i < count; i++) {
      if (values[from + i] > values[from + best]) {
        best = i;
      }
    }
    return best;
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
