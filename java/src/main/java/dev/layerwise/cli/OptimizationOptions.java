package dev.layerwise.cli;

import dev.layerwise.settings.Batches;
import dev.layerwise.settings.Freezing;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Schedule;
import dev.layerwise.settings.Settings;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;

/** Schedule and optimizer. An absent option keeps the default. */
final class OptimizationOptions {
  /** The update rules. */
  static final class Optimizers extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Optimizers() {
      super(Optimizer.RULES);
    }
  }

  @Option(
      names = "--epochs",
      paramLabel = "N",
      description = "Passes over the training images. Default: ${bundle:default.epochs}.")
  Integer epochs;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      description = "Images per step. Default: ${bundle:default.batch_size}.")
  Integer batchSize;

  @Option(
      names = "--classes-per-batch",
      paramLabel = "N",
      description = "Start every batch with N images and fill it with other images of their classes; 0: no limit on"
          + " classes. Default: ${bundle:default.classes_per_batch}.")
  Integer classesPerBatch;

  @Option(
      names = "--classes-per-batch-until-epoch",
      paramLabel = "EPOCH",
      description = "Last epoch to which --classes-per-batch applies; 0: all."
          + " Default: ${bundle:default.classes_per_batch_until_epoch}.")
  Integer classesPerBatchUntilEpoch;

  @Option(
      names = "--validation",
      paramLabel = "FRACTION",
      description = "Hold out this part of the training images, such as 0.1, and measure the error on them after every"
          + " epoch; 0: none. The images are drawn from each class alike, by the seed. --patience then looks at this error"
          + " and never at the test images. Default: 0.")
  Double validation;

  @Option(names = "--lr", paramLabel = "RATE", description = "Initial learning rate. Default: ${bundle:default.lr}.")
  Double lr;

  @Option(
      names = "--lr-decay-milestones",
      paramLabel = "EPOCH",
      arity = "1..*",
      split = ",",
      preprocessor = OptionSections.LastList.class,
      description = "Epochs after which the learning rate is multiplied by --lr-decay-fact; separated by spaces or commas."
          + " Default: ${bundle:default.lr_decay_milestones}.")
  List<Integer> lrDecayMilestones;

  @Option(
      names = "--lr-decay-fact",
      paramLabel = "X",
      description = "Factor applied to the learning rate at each milestone. Default: ${bundle:default.lr_decay_fact}.")
  Double lrDecayFact;

  @Option(
      names = "--optim",
      paramLabel = "NAME",
      completionCandidates = Optimizers.class,
      description = "Optimizer: one of ${COMPLETION-CANDIDATES}. Default: ${bundle:default.optim}.")
  String optim;

  @Option(names = "--momentum", paramLabel = "M", description = "Momentum of sgd; below 1. Default: ${bundle:default.momentum}.")
  Double momentum;

  @Option(
      names = "--weight-decay",
      paramLabel = "X",
      description = "L2 penalty on all trained parameters. Default: ${bundle:default.weight_decay}.")
  Double weightDecay;

  @Option(
      names = "--freeze-after",
      paramLabel = "EPOCH,...|auto",
      description = "Stop training hidden blocks from the front: with 4,6,8 the first after epoch 4, the second after 6, the"
          + " third after 8. auto: each when those before it are frozen and its local training error (without a classifier:"
          + " its loss) has not fallen by 1 %% for two epochs. A frozen block passes images on as in evaluation, with running"
          + " statistics and without dropout, which costs less time. none: all are trained to the end. Default: none.")
  String freezeAfter;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Seed of initialization, shuffling, augmentation and dropout. Default: ${bundle:default.seed}.")
  Long seed;

  /** The requested optimizer; partial, as are the others. */
  Optimizer optimizer() {
    return Settings.partial(
        Optimizer.class, "optim", NetworkOptions.lower(optim), "momentum", momentum, "weight_decay", weightDecay);
  }

  Batches batches() {
    return Settings.partial(
        Batches.class, "batch_size", batchSize, "classes_per_batch", classesPerBatch,
        "classes_per_batch_until_epoch", classesPerBatchUntilEpoch, "validation", validation);
  }

  Freezing freezing() {
    return Settings.partial(Freezing.class, "freeze_after", NetworkOptions.lower(freezeAfter));
  }

  /** With the patience that another option requests, or null. */
  Schedule schedule(Integer patience) {
    return Settings.partial(
        Schedule.class, "epochs", epochs, "lr", lr, "lr_decay_milestones", lrDecayMilestones,
        "lr_decay_fact", lrDecayFact, "patience", patience);
  }
}
