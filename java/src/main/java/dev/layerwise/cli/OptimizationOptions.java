package dev.layerwise.cli;

import dev.layerwise.model.OptimizerConfig;
import dev.layerwise.train.TrainingConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Option;

/** Schedule and optimizer. An option that is absent ({@code null}) leaves the default. */
final class OptimizationOptions {
  /** The update rules. */
  static final class Optimizers extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Optimizers() {
      super(OptimizerConfig.RULES);
    }
  }

  @Option(
      names = "--epochs",
      paramLabel = "N",
      description = "Passes over the training images. Default: 30 for digits, else 400.")
  Integer epochs;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      description = "Images per step. Default: 64 for digits, else 128.")
  Integer batchSize;

  @Option(
      names = "--classes-per-batch",
      paramLabel = "N",
      description = "Start every batch with N images and fill it with others of their classes; 0: batches of any"
          + " classes. Default: 0.")
  Integer classesPerBatch;

  @Option(
      names = "--classes-per-batch-until-epoch",
      paramLabel = "EPOCH",
      description = "Last epoch with such batches; 0: to the end. Default: 0.")
  Integer classesPerBatchUntilEpoch;

  @Option(names = "--lr", paramLabel = "RATE", description = "Learning rate at the start. Default: 5e-4.")
  Double lr;

  @Option(
      names = "--lr-decay-milestones",
      paramLabel = "EPOCH",
      arity = "1..*",
      split = ",",
      description = "Epochs after which the rate is multiplied by --lr-decay-fact, separated by spaces or commas."
          + " Default: 15 22 27 for digits, else 200 300 350 375.")
  List<Integer> lrDecayMilestones;

  @Option(
      names = "--lr-decay-fact",
      paramLabel = "X",
      description = "Factor of the learning rate at each milestone. Default: 0.25.")
  Double lrDecayFact;

  @Option(
      names = "--optim",
      paramLabel = "NAME",
      completionCandidates = Optimizers.class,
      description = "One of ${COMPLETION-CANDIDATES}. Default: adam.")
  String optim;

  @Option(names = "--momentum", paramLabel = "M", description = "Momentum of sgd, below 1. Default: 0.")
  Double momentum;

  @Option(
      names = "--weight-decay",
      paramLabel = "X",
      description = "L2 penalty on every trained parameter. Default: 0.")
  Double weightDecay;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Keys initialization, shuffling, augmentation and dropout. Default: 1.")
  Long seed;

  /** The update rule over a base. */
  OptimizerConfig over(OptimizerConfig base) {
    String rule = optim == null ? base.optim() : optim.toLowerCase(Locale.ROOT);
    Checks.oneOf("--optim", rule, new Optimizers());
    Checks.usage(
        momentum == null || momentum == 0 || rule.equals("sgd"), "--momentum is a part of sgd; it goes with --optim sgd");
    Checks.usage(momentum == null || (momentum >= 0 && momentum < 1), "--momentum must be at least 0 and below 1, not " + momentum);
    Checks.range("--weight-decay", weightDecay, 0, 1e6);
    return new OptimizerConfig(
        rule, Checks.or(momentum, base.momentum()), Checks.or(weightDecay, base.weightDecay()));
  }

  /** Throws a usage error unless the schedule's values can work. */
  void check(boolean batchNorm) {
    Checks.range("--epochs", epochs, 1, 1_000_000);
    checkBatchSize(batchSize, batchNorm);
    Checks.range("--classes-per-batch", classesPerBatch, 0, 1_000_000);
    Checks.range("--classes-per-batch-until-epoch", classesPerBatchUntilEpoch, 0, 1_000_000);
    Checks.usage(lr == null || (lr > 0 && lr <= 1e6), "--lr must be positive, not " + lr);
    Checks.usage(lrDecayFact == null || (lrDecayFact > 0 && lrDecayFact <= 1e6), "--lr-decay-fact must be positive, not " + lrDecayFact);
    if (lrDecayMilestones != null) {
      lrDecayMilestones.forEach(milestone -> Checks.range("--lr-decay-milestones", milestone, 1, 1_000_000));
    }
  }

  /** Throws a usage error unless training steps of that size can work. */
  static void checkBatchSize(Integer batchSize, boolean batchNorm) {
    Checks.range("--batch-size", batchSize, 1, 1_000_000);
    Checks.usage(
        batchSize == null || batchSize > 1 || !batchNorm,
        "--batch-size 1 leaves batch normalization nothing to normalize; take at least 2, or --no-batch-norm");
  }

  int classesPerBatchOver(TrainingConfig base) {
    int images = Checks.or(classesPerBatch, base.classesPerBatch());
    int batch = Checks.or(batchSize, base.batchSize());
    Checks.usage(
        images <= batch,
        "--classes-per-batch " + images + " is more than a batch holds, which is " + batch + " images");
    return images;
  }

  int classesPerBatchUntilEpochOver(TrainingConfig base) {
    boolean fewClasses = classesPerBatchOver(base) > 0;
    Checks.usage(
        fewClasses || classesPerBatchUntilEpoch == null,
        "--classes-per-batch-until-epoch says how long --classes-per-batch holds; it goes with it");
    return fewClasses ? Checks.or(classesPerBatchUntilEpoch, base.classesPerBatchUntilEpoch()) : 0;
  }
}
