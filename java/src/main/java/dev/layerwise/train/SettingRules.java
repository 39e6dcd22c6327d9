package dev.layerwise.train;

import dev.layerwise.model.Networks;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * What settings may be, for the command line and the library alike. A setting that is {@code null} was not given, and
 * is not judged.
 */
public final class SettingRules {
  private final Function<Setting, String> names;
  private final Consumer<String> refusal;

  /** A setting, with its name on the command line and in the library. */
  public enum Setting {
    EPOCHS("--epochs", "epochs"),
    BATCH_SIZE("--batch-size", "batchSize"),
    NO_BATCH_NORM("--no-batch-norm", "batchNorm(false)"),
    LEARNING_RATE("--lr", "learningRate"),
    DECAY_FACTOR("--lr-decay-fact", "decay's factor"),
    DECAY_EPOCHS("--lr-decay-milestones", "decay's afterEpochs"),
    SGD("--optim sgd", "the optimizer sgd"),
    MOMENTUM("--momentum", "momentum"),
    WEIGHT_DECAY("--weight-decay", "weightDecay"),
    BETA("--beta", "beta"),
    PREDSIM("--loss predsim", "the loss predsim"),
    SIM("--loss sim", "the loss sim"),
    BACKPROP("--backprop", "backpropagation"),
    DECODER_FEATURES("--dim-in-decoder", "dimInDecoder"),
    DROPOUT("--dropout", "dropout"),
    WIDTH("--feat-mult", "widthFactor"),
    HIDDEN_LAYERS("--num-layers", "hiddenLayers' count"),
    HIDDEN_UNITS("--num-hidden", "hiddenLayers' units"),
    PREACTIVATION("--pre-act", "preactivation");

    private final String option;
    private final String method;

    Setting(String option, String method) {
      this.option = option;
      this.method = method;
    }
  }

  private SettingRules(Function<Setting, String> names, Consumer<String> refusal) {
    this.names = names;
    this.refusal = refusal;
  }

  /**
   * Rules that speak of options.
   *
   * @param refusal throws what it is told
   */
  public static SettingRules ofOptions(Consumer<String> refusal) {
    return new SettingRules(setting -> setting.option, refusal);
  }

  /**
   * Rules that speak of the library's methods and their parameters.
   *
   * @param refusal throws what it is told
   */
  public static SettingRules ofMethods(Consumer<String> refusal) {
    return new SettingRules(setting -> setting.method, refusal);
  }

  /** Whether a value is in a closed range; NaN is in none, and {@code null} in all. */
  public static boolean isIn(Number value, double least, double most) {
    return value == null || (value.doubleValue() >= least && value.doubleValue() <= most);
  }

  /** That a value is not in a closed range. */
  public static String notIn(String name, Number value, double least, double most) {
    return name + " must be in " + plain(least) + " … " + plain(most) + ", not " + value;
  }

  private static String plain(double value) {
    return value == Math.rint(value) ? Long.toString((long) value) : Double.toString(value);
  }

  /** Of passes, batches and the learning rate. */
  public void schedule(Integer epochs, Integer batchSize, Double rate, Double decayFactor, List<Integer> decayEpochs) {
    range(Setting.EPOCHS, epochs, 1, 1_000_000);
    range(Setting.BATCH_SIZE, batchSize, 1, 1_000_000);
    positive(Setting.LEARNING_RATE, rate, 1e6);
    positive(Setting.DECAY_FACTOR, decayFactor, 1e6);
    if (decayEpochs != null) {
      decayEpochs.forEach(epoch -> range(Setting.DECAY_EPOCHS, epoch, 1, 1_000_000));
    }
  }

  /** Of a batch and what is done with it. */
  public void batch(Integer batchSize, boolean batchNorm) {
    require(
        batchSize == null || batchSize > 1 || !batchNorm,
        name(Setting.BATCH_SIZE) + " 1 leaves batch normalization nothing to normalize; take at least 2, or "
            + name(Setting.NO_BATCH_NORM));
  }

  /** Of the update rule, which has been found to be one. */
  public void optimizer(String rule, Double momentum, Double weightDecay) {
    require(
        momentum == null || momentum == 0 || rule.equals("sgd"),
        name(Setting.MOMENTUM) + " is a part of sgd; it goes with " + name(Setting.SGD));
    belowOne(Setting.MOMENTUM, momentum);
    range(Setting.WEIGHT_DECAY, weightDecay, 0, 1e6);
  }

  /**
   * Of the losses.
   *
   * @param loss {@code null}: a global one
   * @param bio whether hidden blocks have classifiers of projected targets whatever their loss
   */
  public void losses(String loss, boolean bio, Double beta, Integer decoderFeatures) {
    require(
        beta == null || "predsim".equals(loss),
        name(Setting.BETA) + " weighs the two parts of predsim; it goes with " + name(Setting.PREDSIM));
    range(Setting.BETA, beta, 0, 1);
    range(Setting.DECODER_FEATURES, decoderFeatures, 1, 100_000_000);
    require(
        decoderFeatures == null || (loss != null && (bio || !loss.equals("sim"))),
        name(Setting.DECODER_FEATURES) + " is about local classifiers; there are none with " + name(Setting.BACKPROP)
            + " or " + name(Setting.SIM));
  }

  /** Of dropout. */
  public void dropout(Double probability) {
    belowOne(Setting.DROPOUT, probability);
  }

  /** Of sizes, whatever network they are for. */
  public void sizes(Double width, Integer hiddenLayers, Integer hiddenUnits) {
    positive(Setting.WIDTH, width, 1000);
    range(Setting.HIDDEN_LAYERS, hiddenLayers, 0, 1000);
    range(Setting.HIDDEN_UNITS, hiddenUnits, 1, 1_000_000);
  }

  /**
   * That what changes a network goes with the one that it is about.
   *
   * @param network its name
   * @param published whether it is a published one, not described in a file
   */
  public void structure(
      String network, boolean published, Double width, Integer hiddenLayers, Integer hiddenUnits,
      boolean preactivation) {
    require(
        width == null || width == 1 || !published || Networks.hasWidth(network),
        network.equals("mlp")
            ? name(Setting.WIDTH) + " scales convolutions; an mlp has none (its width is " + name(Setting.HIDDEN_UNITS)
                + ")"
            : name(Setting.WIDTH) + " does not go with " + network + "; a Wide ResNet has its width in its name");
    require(
        (hiddenLayers == null && hiddenUnits == null) || (published && Networks.hasLinearBlocks(network)),
        name(Setting.HIDDEN_LAYERS) + " and " + name(Setting.HIDDEN_UNITS)
            + " are about an mlp's or a VGG's linear blocks; " + network + " has none of those");
    require(
        !preactivation || (published && Networks.hasPreactivationVariant(network)),
        name(Setting.PREACTIVATION) + " chooses the blocks of a ResNet; it does not go with " + network);
  }

  private void range(Setting setting, Number value, double least, double most) {
    require(isIn(value, least, most), notIn(name(setting), value, least, most));
  }

  private void positive(Setting setting, Double value, double most) {
    require(
        value == null || (value > 0 && value <= most),
        name(setting) + " must be positive (at most " + plain(most) + "), not " + value);
  }

  private void belowOne(Setting setting, Double value) {
    require(
        value == null || (value >= 0 && value < 1), name(setting) + " must be at least 0 and below 1, not " + value);
  }

  private String name(Setting setting) {
    return names.apply(setting);
  }

  private void require(boolean condition, String message) {
    if (!condition) {
      refusal.accept(message);
    }
  }
}
