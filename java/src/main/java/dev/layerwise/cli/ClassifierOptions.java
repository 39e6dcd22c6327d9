package dev.layerwise.cli;

import dev.layerwise.data.Images;
import dev.layerwise.data.ValidationSplit;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.ModelException;
import dev.layerwise.train.ClassifierChoice;
import dev.layerwise.train.TestTimeAugmentation;
import java.io.PrintWriter;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Option;

/** Which classifier answers in {@code evaluate}, where images stop, and how often they are seen. */
final class ClassifierOptions {
  private static final String OUTPUT = "output";
  private static final String NONE = "none";
  private static final List<String> CLASSIFIERS = List.of(OUTPUT, "best", "average");
  private static final List<String> AUGMENTATIONS = List.of(NONE, "mirror", "multi-crop");

  static final String EXIT_CONFIDENCE = "--exit-confidence";

  @Option(
      names = "--classifier",
      paramLabel = "WHICH",
      defaultValue = OUTPUT,
      description = "Also print the error of other classifiers than the output layer's: best, the one with the lowest error"
          + " on held-out training images, or average, the mean of the probabilities of the last k classifiers, with k"
          + " chosen on the same images; output: nothing more. Default: ${DEFAULT-VALUE}.")
  private String classifier;

  @Option(
      names = "--validation",
      paramLabel = "FRACTION",
      description = "For --classifier and --calibrate: the part of the training images to hold out, such as 0.1, drawn from each class"
          + " alike. Default: the images that the run was trained without.")
  private Double validation;

  @Option(
      names = "--calibrate",
      description = "Also find the temperature by which to divide the output layer's logits so that its probabilities are right:"
          + " the one with the least negative log-likelihood on held-out training images. Prints it, and the negative"
          + " log-likelihood and expected calibration error on the test images before and after; 'predict --temperature'"
          + " takes it. Default: off.")
  boolean calibrate;

  @Option(
      names = EXIT_CONFIDENCE,
      paramLabel = "P",
      description = "Also print the error and the mean cost when each image stops at the first layer whose classifier gives"
          + " its first choice at least the probability P, such as 0.9. Default: off; --json always has a curve.")
  Double exitConfidence;

  @Option(
      names = "--tta",
      paramLabel = "HOW",
      defaultValue = NONE,
      description = "Test-time augmentation: also print the error of the mean probabilities over views of each image:"
          + " mirror, the image and its mirror image, or multi-crop, the image and four copies moved diagonally by 2 pixels,"
          + " each mirrored too; none: off. Default: ${DEFAULT-VALUE}.")
  private String tta;

  void check() {
    Checks.oneOf("--classifier", classifier, CLASSIFIERS);
    Checks.oneOf("--tta", tta, AUGMENTATIONS);
    checkConfidence(exitConfidence);
    Checks.usage(validation == null || needsHeldOut(), "--validation goes with --classifier best or average, or --calibrate");
    Checks.usage(
        validation == null || validation > 0 && validation < 1,
        "--validation must be above 0 and below 1, not " + validation);
  }

  static void checkConfidence(Double confidence) {
    Checks.range(EXIT_CONFIDENCE, confidence, 0, 1);
  }

  /** What is chosen; {@code null}: nothing. */
  ClassifierChoice.Kind kind() {
    return classifier.equals(OUTPUT) ? null : ClassifierChoice.Kind.valueOf(classifier.toUpperCase(Locale.ROOT));
  }

  /** Whether training images are held out to decide something on. */
  boolean needsHeldOut() {
    return calibrate || kind() != null;
  }

  /** The views to average; {@code null}: none. */
  TestTimeAugmentation.Kind augmentation() {
    return tta.equals(NONE)
        ? null : TestTimeAugmentation.Kind.valueOf(tta.toUpperCase(Locale.ROOT).replace('-', '_'));
  }

  /** How many kinds of predictions there are besides the output layer's. */
  int answers() {
    return (calibrate ? 1 : 0) + (kind() == null ? 0 : 1) + (augmentation() == null ? 0 : 1) + (exitConfidence == null ? 0 : 1);
  }

  /** Throws if something needs local classifiers that the network does not have. */
  void requireClassifiers(ModelConfig config, String model) {
    String option = kind() != null ? "--classifier " + classifier : exitConfidence != null ? EXIT_CONFIDENCE : null;
    if (option != null && !config.losses().hasLocalClassifiers()) {
      throw new ModelException(
          option + " needs local classifiers, which " + model + " does not have: only networks trained with the loss pred or"
              + " predsim, and not with bio, do");
    }
  }

  /**
   * The training images to decide on.
   *
   * @param train all of them
   * @param run what the run's configuration says; {@code null} if the model is not of a run, or of one on other images
   * @param err is warned if the network was trained on these images
   */
  int[] heldOut(Images train, RunValidation run, PrintWriter err) {
    Double ofRun = run == null ? null : run.fraction();
    Checks.usage(
        ofRun != null || validation != null,
        (kind() == null ? "--calibrate" : "--classifier " + classifier) + " needs --validation, such as 0.1: the model was not trained with images held out");
    Checks.usage(
        ofRun == null || validation == null || validation.equals(ofRun),
        "--validation " + validation + ": the run held out " + ofRun + " of its training images; leave the option out");
    if (ofRun == null && run != null) {
      err.println(
          "layerwise: the network was trained on the images that "
              + (kind() == null ? "the temperature is fitted to, so the fit" : "the classifier is chosen on, so the choice")
              + " is optimistic; train with --validation to hold them out");
      err.flush();
    }
    return ValidationSplit.of(
            train.labels(), train.classes(), ofRun == null ? validation : ofRun, run == null ? 1 : run.seed())
        .heldOut();
  }

  /**
   * What a run says of its training images.
   *
   * @param fraction held out; {@code null}: none
   */
  record RunValidation(Double fraction, long seed) {}
}
