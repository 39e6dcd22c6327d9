package dev.layerwise.train;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Keeps what a network says of each image, in memory: a number per class, whose softmax is the classes' probabilities. Of
 * several processes, each keeps its own batches.
 */
public final class ImageLogits implements Evaluator.BatchConsumer {
  private final int classes;
  private final Answer answer;
  private final Map<Integer, List<Row>> batches = new HashMap<>();
  private int last = -1; // batch of this process

  /** What the network answers, given what its classifiers say. */
  @FunctionalInterface
  public interface Answer {
    /** The output layer's classifier, which is the last. */
    static Answer ofOutput(int classes) {
      return (logits, from) -> {
        double[] values = new double[classes];
        for (int i = 0; i < classes; i++) {
          values[i] = logits.get(logits.size() - 1)[from + i];
        }
        return values;
      };
    }

    /**
     * A number per class, whose softmax is the classes' probabilities.
     *
     * @param logits of all classifiers
     * @param from where in each of them the image's begin
     */
    double[] of(List<float[]> logits, int from);
  }

  /**
   * An image.
   *
   * @param number in the data set, from 0
   * @param label true class
   * @param predicted class of the first largest number
   * @param logits a number per class
   */
  public record Row(int number, int label, int predicted, float[] logits) {
    /** The probability of each class, with the logits divided by a temperature. */
    public double[] probabilities(double temperature) {
      return Probabilities.softmax(logits, temperature);
    }

    /** Minus the logarithm of the true class's probability, with the logits divided by a temperature. */
    double negativeLogLikelihood(double temperature) {
      double sum = 0;
      for (float logit : logits) {
        sum += Math.exp(((double) logit - logits[predicted]) / temperature);
      }
      return Math.log(sum) - ((double) logits[label] - logits[predicted]) / temperature;
    }
  }

  /** Keeps the answers to all batches that it is shown. */
  public ImageLogits(int classes, Answer answer) {
    this.classes = classes;
    this.answer = answer;
  }

  @Override
  public void accept(int number, ImageFeed.Pass batch, List<float[]> ofClassifiers) {
    for (int i = 0; i < batch.count(); i++) {
      add(number, batch, i, answer.of(ofClassifiers, i * classes));
    }
  }

  /** Keeps what is said of an image of a batch; images come in order. */
  void add(int number, ImageFeed.Pass batch, int index, double[] logits) {
    float[] values = new float[logits.length];
    for (int i = 0; i < logits.length; i++) {
      values[i] = (float) logits[i];
    }
    last = Math.max(last, number);
    batches.computeIfAbsent(number, any -> new ArrayList<>())
        .add(new Row(batch.number(index), batch.label(index), Probabilities.largest(logits), values));
  }

  /**
   * Shows the images of all processes in their order. All processes call this, and each is shown all images; it has those of
   * one more batch of every process in memory meanwhile.
   */
  public void forEach(Communicator processes, Consumer<Row> consumer) {
    BatchSlice slice = processes.slice();
    int end = processes.gather(last, Integer.class).stream().mapToInt(Integer::intValue).max().orElseThrow() + 1;
    for (int own = 0; own * slice.size() < end; own++) {
      Row[] here = batches.getOrDefault(slice.wholeBatch(own), List.of()).toArray(new Row[0]);
      for (Row[] rows : processes.gather(here, Row[].class)) {
        for (Row row : rows) {
          consumer.accept(row);
        }
      }
    }
  }
}
