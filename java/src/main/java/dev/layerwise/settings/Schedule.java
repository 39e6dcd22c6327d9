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
 * @param lr learning rate at the start; of a schedule that warms up, the highest
 * @param lrDecayMilestones epochs (counted from 1) after which the rate is multiplied by lrDecayFact; of the schedule
 *     {@code milestones}
 * @param patience epochs without an improvement of the validation error, or without images held out of the test error,
 *     after which the run ends; null: it does not
 * @param schedule one of {@link #SHAPES}; null: {@code milestones}
 * @param warmup share of the run in which the rate rises to lr, in [0, 1); null: 0, or {@value #ONE_CYCLE_WARMUP} for
 *     {@code one-cycle}
 * @param finalLr rate at the end of {@code cosine}, {@code linear} and {@code one-cycle}; null: 0
 * @param lrBaseSize images per step for which lr is given; null: the run's own batch size
 * @param lrBaseScale with lrBaseSize, how the rate follows the batch size: one of {@link #BASE_SCALES}
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
@Settings.Group
public record Schedule(
    @MayChange Integer epochs,
    Double lr,
    List<Integer> lrDecayMilestones,
    Double lrDecayFact,
    @MayBeAbsent @MayChange @JsonInclude(JsonInclude.Include.NON_NULL) Integer patience,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) String schedule,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Double warmup,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Double finalLr,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Integer lrBaseSize,
    @MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) String lrBaseScale) {

  private static final String MILESTONES = "milestones";
  private static final String COSINE = "cosine";
  private static final String ONE_CYCLE = "one-cycle";

  /** How the rate changes over a run, the published way first. */
  public static final List<String> SHAPES = List.of(MILESTONES, COSINE, "linear", ONE_CYCLE);

  /** In proportion to the batch size, or to its square root. */
  public static final List<String> BASE_SCALES = List.of("linear", "sqrt");

  /** Share of the run in which {@code one-cycle} warms up unless it is told otherwise. */
  public static final double ONE_CYCLE_WARMUP = 0.15;

  /** The published ones of colour images. */
  public static final Schedule DEFAULT = published(400, 5e-4, List.of(200, 300, 350, 375), 0.25);

  private static final int MOST_EPOCHS = 1_000_000;
  /** Warming up begins at this part of the highest rate, as in PyTorch's OneCycleLR. */
  private static final double WARMUP_START = 1 / 25.0;

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
    Rules.oneOf("schedule", schedule, SHAPES);
    Rules.belowOne("warmup", warmup);
    Rules.range("final_lr", finalLr, 0, 1e6);
    Rules.range("lr_base_size", lrBaseSize, 1, MOST_EPOCHS);
    Rules.oneOf("lr_base_scale", lrBaseScale, BASE_SCALES);
  }

  /** One with milestones, as the published runs have it. */
  public static Schedule published(int epochs, double lr, List<Integer> milestones, double lrDecayFact) {
    return new Schedule(epochs, lr, milestones, lrDecayFact, null, null, null, null, null, null);
  }

  /** These over a base. */
  public Schedule over(Schedule base) {
    Schedule whole = Settings.over(this, base);
    boolean hasMilestones = whole.shape().equals(MILESTONES);
    SettingsException.require(
        hasMilestones || lrDecayMilestones == null, "{lr_decay_milestones} goes with {schedule} milestones");
    SettingsException.require(
        hasMilestones || lrDecayFact == null, "{lr_decay_fact} goes with {schedule} milestones");
    SettingsException.require(
        !hasMilestones || finalLr == null, "{final_lr} goes with {schedule} cosine, linear or one-cycle");
    SettingsException.require(
        whole.finalLr == null || whole.finalLr <= whole.lr,
        "{final_lr} must be at most {lr}, " + whole.lr + ", not " + whole.finalLr);
    SettingsException.require(
        lrBaseScale == null || whole.lrBaseSize != null, "{lr_base_scale} goes with {lr_base_size}");
    SettingsException.require(
        !hasMilestones || base.shape().equals(MILESTONES) || lrDecayMilestones != null,
        "{schedule} milestones needs {lr_decay_milestones}");
    return new Schedule(
        whole.epochs, whole.lr, hasMilestones ? whole.lrDecayMilestones : List.of(), whole.lrDecayFact,
        Integer.valueOf(0).equals(whole.patience) ? null : whole.patience, hasMilestones ? null : whole.schedule,
        whole.warmup, hasMilestones ? null : whole.finalLr, whole.lrBaseSize, whole.lrBaseScale);
  }

  private String shape() {
    return schedule == null ? MILESTONES : schedule;
  }

  /** Whether the rate at any time depends on the number of epochs that the run will have. */
  public boolean dependsOnEpochs() {
    return !shape().equals(MILESTONES) || warmupShare() > 0;
  }

  private double warmupShare() {
    return warmup != null ? warmup : shape().equals(ONE_CYCLE) ? ONE_CYCLE_WARMUP : 0;
  }

  /**
   * The learning rate of a step.
   *
   * <p>While the run warms up, the rate rises linearly from lr/25 to lr. After that, with p the share of the rest that is
   * over: linear and one-cycle: final + (lr − final) · (1 − p); cosine: final + (lr − final) · (1 + cos πp) / 2. With
   * milestones it is lr · fact^(milestones ≤ whole epochs), warmed up likewise.
   *
   * @param passed epochs that are over when the step begins, the part of the epoch under way included
   * @param batchSize images per step
   */
  public double learningRate(double passed, int batchSize) {
    return batchScale(batchSize) * ownLearningRate(passed);
  }

  private double ownLearningRate(double passed) {
    double share = passed / epochs;
    double warm = warmupShare();
    double risen = share < warm ? WARMUP_START + (1 - WARMUP_START) * share / warm : 1;
    if (shape().equals(MILESTONES)) {
      long over = lrDecayMilestones.stream().filter(milestone -> milestone <= Math.floor(passed)).count();
      return risen * lr * Math.pow(lrDecayFact, over);
    }
    if (share < warm) {
      return risen * lr;
    }
    double rest = (share - warm) / (1 - warm);
    double part = shape().equals(COSINE) ? (1 + Math.cos(Math.PI * rest)) / 2 : 1 - rest;
    double last = finalLr == null ? 0 : finalLr;
    return last + (lr - last) * part;
  }

  /** The square root unless it is told otherwise: Adam's steps do not grow with the gradient. */
  private double batchScale(int batchSize) {
    if (lrBaseSize == null) {
      return 1;
    }
    double factor = (double) batchSize / lrBaseSize;
    return "linear".equals(lrBaseScale) ? factor : Math.sqrt(factor);
  }

  /** The same over more or fewer epochs: all its epoch numbers times a factor, rounded, but at least 1. */
  public Schedule stretched(double factor) {
    return Settings.with(
        this, "epochs", stretch(epochs, factor),
        "lr_decay_milestones", lrDecayMilestones.stream().map(milestone -> stretch(milestone, factor)).toList());
  }

  static int stretch(int epoch, double factor) {
    return (int) Math.max(1, Math.round(epoch * factor));
  }
}
