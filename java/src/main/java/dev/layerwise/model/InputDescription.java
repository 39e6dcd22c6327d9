package dev.layerwise.model;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.List;
import java.util.Objects;

/**
 * How images become a network's input, and what its outputs mean. An image is resized so that its shorter side is
 * {@code resize} pixels, the centre of the network's input size is cut out, and each level is normalized to
 * (level / 255 − mean) / deviation of its channel.
 *
 * @param classNames one per output, in order
 * @param mean per channel
 * @param deviation per channel, positive
 * @param resize pixels, at least the input's size
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record InputDescription(List<String> classNames, float[] mean, float[] deviation, int resize) {
  /**
   * Copies the lists.
   *
   * @throws ModelException if they do not fit together
   */
  public InputDescription {
    require(classNames != null && mean != null && deviation != null, "class names, mean or deviation are missing");
    require(classNames.stream().noneMatch(Objects::isNull), "a class has no name");
    classNames = List.copyOf(classNames);
    mean = mean.clone();
    deviation = deviation.clone();
    require(mean.length == deviation.length, "there are not as many means as deviations");
    for (int i = 0; i < mean.length; i++) {
      require(Float.isFinite(mean[i]) && Float.isFinite(deviation[i]) && deviation[i] > 0,
          "mean " + mean[i] + " and deviation " + deviation[i] + " do not normalize");
    }
    require(resize > 0, "images cannot be resized to " + resize + " pixels");
  }

  /** Whether this is about the images and classes of a network. */
  boolean fits(ModelConfig config) {
    return classNames.size() == config.classes() && mean.length == config.images().channels()
        && resize >= config.images().side();
  }

  /** A copy of the means. */
  @Override
  public float[] mean() {
    return mean.clone();
  }

  /** A copy of the standard deviations. */
  @Override
  public float[] deviation() {
    return deviation.clone();
  }

  private static void require(boolean condition, String message) {
    if (!condition) {
      throw new ModelException(message);
    }
  }
}
