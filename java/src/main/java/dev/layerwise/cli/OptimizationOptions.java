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

  /** How the learning rate changes. */
  static final class Shapes extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Shapes() {
      super(Schedule.SHAPES);
    }
  }

  /** How it follows the batch size. */
  static final class BaseScales extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    BaseScales() {
      super(Schedule.BASE_SCALES);
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
          + " and never at the test images, and the model is that of the best epoch. Default: 0.")
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
      names = "--schedule",
      paramLabel = "NAME",
      completionCandidates = Shapes.class,
      description = "How the learning rate changes: one of ${COMPLETION-CANDIDATES}. Cosine and linear fall from --lr to"
          + " --final-lr; one-cycle is linear with a warm-up; their rate changes with every step. Default: milestones.")
  String schedule;

  @Option(
      names = "--warmup",
      paramLabel = "SHARE",
      description = "Share of the run, such as 0.1, in which the learning rate rises from --lr / 25 to --lr."
          + " Default: 0.15 for one-cycle, else 0.")
  Double warmup;

  @Option(
      names = "--final-lr",
      paramLabel = "RATE",
      description = "Learning rate at the end of the schedules cosine, linear and one-cycle. Default: 0.")
  Double finalLr;

  @Option(
      names = "--lr-base-size",
      paramLabel = "N",
      description = "Take --lr for N images per step, and scale it to --batch-size by --lr-base-scale. Default: do not"
          + " scale it.")
  Integer lrBaseSize;

  @Option(
      names = "--lr-base-scale",
      paramLabel = "NAME",
      completionCandidates = BaseScales.class,
      description = "With --lr-base-size: how the learning rate follows the batch size, one of ${COMPLETION-CANDIDATES}."
          + " Default: sqrt.")
  String lrBaseScale;

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
      description = "L2 penalty on all trained parameters; with adamw, decay apart from the gradient."
          + " Default: ${bundle:default.weight_decay}.")
  Double weightDecay;

  @Option(names = "--nesterov", description = "Use Nesterov's momentum with sgd. Default: off.")
  Boolean nesterov;

  @Option(
      names = "--clip-grad-norm",
      paramLabel = "X",
      description = "Scale a block's gradients down where their norm, all of the block's together, is larger than X;"
          + " 0: never. Default: 0.")
  Double clipGradNorm;

  @Option(
      names = "--lr-mult-batch-norm",
      paramLabel = "X",
      description = "Factor of the learning rate for batch norm's scales and shifts. Default: 1.")
  Double lrMultBatchNorm;

  @Option(
      names = "--lr-mult-classifiers",
      paramLabel = "X",
      description = "Factor of the learning rate for the local classifiers and the output layer. Default: 1.")
  Double lrMultClassifiers;

  @Option(
      names = "--ema-decay",
      paramLabel = "D",
      description = "Keep an exponential moving average of the weights with this decay, such as 0.999, and test and save"
          + " it as the model; 0: none. Default: 0.")
  Double emaDecay;

  @Option(
      names = "--lookahead-steps",
      paramLabel = "N",
      description = "Lookahead: every N steps a slow copy of the weights moves towards them, and they start again from it."
          + " The slow copy is tested and saved as the model; 0: none. Default: 0.")
  Integer lookaheadSteps;

  @Option(
      names = "--lookahead-alpha",
      paramLabel = "A",
      description = "With --lookahead-steps: how far the slow weights move, in (0, 1]. Default: 0.5.")
  Double lookaheadAlpha;

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
        Optimizer.class, "optim", NetworkOptions.lower(optim), "momentum", momentum, "weight_decay", weightDecay,
        "nesterov", nesterov, "clip_grad_norm", clipGradNorm, "lr_mult_batch_norm", lrMultBatchNorm,
        "lr_mult_classifiers", lrMultClassifiers, "ema_decay", emaDecay, "lookahead_steps", lookaheadSteps,
        "lookahead_alpha", lookaheadAlpha);
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
        "lr_decay_fact", lrDecayFact, "patience", patience, "schedule", NetworkOptions.lower(schedule), "warmup", warmup,
        "final_lr", finalLr, "lr_base_size", lrBaseSize, "lr_base_scale", NetworkOptions.lower(lrBaseScale));
  }
}
