package dev.layerwise.api;

import dev.layerwise.model.ModelException;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;

/** What the classifiers of a model's layers say of a batch, in one pass that ends where nothing more is wanted. */
final class LayerAnswers {
  private final Model model;
  private final Replica replica;
  private final byte[] pixels;
  private final int count;

  LayerAnswers(Model model, Replica replica, byte[] pixels, int count) {
    this.model = model;
    this.replica = replica;
    this.pixels = pixels;
    this.count = count;
  }

  /** Takes a layer's outputs; returns whether to go on to the next. */
  @FunctionalInterface
  private interface Taker {
    boolean take(Layer layer, float[][] rows);
  }

  private void each(Taker taker) {
    Iterator<Layer> classifying = model.layers().stream().filter(Layer::classifies).iterator();
    replica.classifyLayers(
        pixels, count, logits -> taker.take(classifying.next(), Replica.rows(logits, count)));
  }

  /** For each image the answer of the first layer that is certain enough, or of the output layer. */
  List<Model.Answer> firstCertain(double confidence) {
    if (!replica.hasLocalClassifiers()) {
      throw new ModelException(
          "the model has no local classifiers, so no image can stop early: only networks trained with the loss pred or"
              + " predsim, and not with bio, have them");
    }
    if (!(confidence >= 0 && confidence <= 1)) {
      throw new ModelException("a confidence must be from 0 to 1, not " + confidence);
    }
    Model.Answer[] answers = new Model.Answer[Math.max(0, count)]; // of fewer than one image nothing is computed
    Layer output = model.layers().get(model.layers().size() - 1);
    each(
        (layer, rows) -> {
          boolean open = false;
          for (int i = 0; i < answers.length; i++) {
            if (answers[i] == null && (layer.equals(output) || certainty(rows[i]) >= confidence)) {
              answers[i] = new Model.Answer(layer, rows[i]);
            }
            open |= answers[i] == null;
          }
          return open;
        });
    return List.of(answers);
  }

  private static double certainty(float[] outputs) {
    return Arrays.stream(Model.softmax(outputs)).max().orElseThrow();
  }

  /** For each image the mean of the probabilities that some layers give. */
  double[][] mean(List<Layer> layers) {
    double[][] sums = new double[Math.max(0, count)][model.classNames().size()];
    int[] taken = {0};
    each(
        (layer, rows) -> {
          if (layers.contains(layer)) {
            taken[0]++;
            for (int i = 0; i < sums.length; i++) {
              double[] probabilities = Model.softmax(rows[i]);
              for (int c = 0; c < probabilities.length; c++) {
                sums[i][c] += probabilities[c] / layers.size();
              }
            }
          }
          return taken[0] < layers.size();
        });
    return sums;
  }
}
