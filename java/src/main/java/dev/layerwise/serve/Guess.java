package dev.layerwise.serve;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.layerwise.api.Prediction;
import java.util.List;

/**
 * A class that an image may belong to, as JSON has it.
 *
 * @param className its name
 * @param number its position among the model's classes, from 0
 * @param probability in [0, 1]
 */
public record Guess(@JsonProperty("class") String className, int number, double probability) {
  /** The likeliest of ranked predictions, at most {@code count}. */
  public static List<Guess> of(List<Prediction> ranked, int count) {
    return ranked.stream().limit(count)
        .map(of -> new Guess(of.className(), of.classNumber(), of.probability())).toList();
  }
}
