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
      preprocessor = OptionSections.LastList.class,
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
    Checks.SETTINGS.optimizer(rule, momentum, weightDecay);
    return new OptimizerConfig(
        rule, Checks.or(momentum, base.momentum()), Checks.or(weightDecay, base.weightDecay()));
  }

  /** Throws a usage error unless the schedule's values can work. */
  void check(boolean batchNorm) {
    Checks.SETTINGS.schedule(epochs, batchSize, lr, lrDecayFact, lrDecayMilestones);
    Checks.SETTINGS.batch(batchSize, batchNorm);
    Checks.range("--classes-per-batch", classesPerBatch, 0, 1_000_000);
    Checks.range("--classes-per-batch-until-epoch", classesPerBatchUntilEpoch, 0, 1_000_000);
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
