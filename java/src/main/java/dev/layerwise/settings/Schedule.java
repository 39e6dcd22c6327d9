package dev.layerwise.settings;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.settings.Settings.MayBeAbsent;
import dev.layerwise.settings.Settings.MayChange;
import java.util.List;

/**
 * How long a network is trained, and how fast it learns.
 *
 * @param epochs passes over the training images
 * @param lr learning rate at the start
 * @param lrDecayMilestones epochs (counted from 1) after which the rate is multiplied by lrDecayFact
 * @param patience epochs without an improvement of the validation error, or without images held out of the test error,
 *     after which the run ends; null: it does not
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
@Settings.Group
public record Schedule(
    @MayChange Integer epochs,
    Double lr,
    List<Integer> lrDecayMilestones,
    Double lrDecayFact,
    @MayBeAbsent @MayChange @JsonInclude(JsonInclude.Include.NON_NULL) Integer patience) {

  /** The published ones of colour images. */
  public static final Schedule DEFAULT = new Schedule(400, 5e-4, List.of(200, 300, 350, 375), 0.25, null);

  private static final int MOST_EPOCHS = 1_000_000;

  /** Checks the values; throws {@link SettingsException}. A patience of 0 asks for none. */
  public Schedule {
    Rules.range("epochs", epochs, 1, MOST_EPOCHS);
    Rules.positive("lr", lr, 1e6);
    Rules.positive("lr_decay_fact", lrDecayFact, 1e6);
    if (lrDecayMilestones != null) {
      lrDecayMilestones = List.copyOf(lrDecayMilestones);
      lrDecayMilestones.forEach(epoch -> Rules.range("lr_decay_milestones", epoch, 1, MOST_EPOCHS));
    }
    Rules.range("patience", patience, 0, MOST_EPOCHS);
  }

  /** These over a base. */
  public Schedule over(Schedule base) {
    Schedule whole = Settings.over(this, base);
    return Integer.valueOf(0).equals(whole.patience)
        ? new Schedule(whole.epochs, whole.lr, whole.lrDecayMilestones, whole.lrDecayFact, null)
        : whole;
  }

  /** The learning rate of an epoch (counted from 1): lr · fact^(milestones ≤ epoch − 1). */
  public double learningRate(int epoch) {
    long passed = lrDecayMilestones.stream().filter(milestone -> milestone <= epoch - 1).count();
    return lr * Math.pow(lrDecayFact, passed);
  }

  /** The same over more or fewer epochs: all its epoch numbers times a factor, rounded, but at least 1. */
  public Schedule stretched(double factor) {
    return new Schedule(
        stretch(epochs, factor), lr, lrDecayMilestones.stream().map(milestone -> stretch(milestone, factor)).toList(),
        lrDecayFact, patience);
  }

  static int stretch(int epoch, double factor) {
    return (int) Math.max(1, Math.round(epoch * factor));
  }
}
