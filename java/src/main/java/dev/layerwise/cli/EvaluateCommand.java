package dev.layerwise.cli;

import dev.layerwise.LayerwiseException;
import dev.layerwise.data.ClassNames;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.Images;
import dev.layerwise.data.Part;
import dev.layerwise.data.stream.StreamedImages;
import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.model.ModelException;
import dev.layerwise.model.ModelFile;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.run.EarlyExits;
import dev.layerwise.run.Evaluation;
import dev.layerwise.run.RunDirectory;
import dev.layerwise.run.TrainingConfig;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.train.ClassifierChoice;
import dev.layerwise.train.ClassifierTally;
import dev.layerwise.train.Communicator;
import dev.layerwise.train.Evaluator;
import dev.layerwise.train.ImageFeed;
import dev.layerwise.train.ImageLogits;
import dev.layerwise.train.TemperatureScaling;
import dev.layerwise.train.TestMeasurement;
import dev.layerwise.train.TestTimeAugmentation;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Tests a trained network. */
@Command(
    resourceBundle = "dev.layerwise.cli.SettingDefaults$OfEvaluate",
    name = "evaluate",
    description = {
      "Tests a trained network: its error, each block's local error, and the confusion matrix.",
      "Started with mpirun, several processes share the images; the result is that of one."
    })
final class EvaluateCommand implements Callable<Integer> {
  @Mixin(name = CommonOptions.NAME)
  private CommonOptions common;

  @Mixin private DataOptions data;

  @Mixin private ClassifierOptions classifiers;

  @Parameters(paramLabel = "MODEL", description = "A run's folder or its model.safetensors.")
  private Path model;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      defaultValue = "128",
      description = "Images per pass. Default: ${DEFAULT-VALUE}.")
  private int batchSize;

  @Option(
      names = "--save",
      description = "Also write evaluation.json to the run's folder, from which 'layerwise report' shows the confusion matrix"
          + " and mistakes. Training also writes it at its end. Default: off.")
  private boolean save;

  @Option(
      names = "--confusion",
      paramLabel = "FILE",
      description = "Also write the confusion matrix to this file: .csv has numbers, .png a heat map in which rows are true classes"
          + " and columns predicted ones, dark where a class's images go. An existing file is replaced. Default: none.")
  private Path confusion;

  @Option(
      names = "--csv",
      paramLabel = "FILE",
      description = "Also write the prediction for each test image to this file: comma-separated, with the image's number (and"
          + " file), its class, the predicted class, and the probability of every class. With --classifier, --tta or"
          + " --exit-confidence these are the predictions whose error that option prints, with --calibrate they are"
          + " calibrated. An existing file is replaced. Default: none.")
  private Path csv;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    return Launch.together(this::call);
  }

  private int call(Communicator processes) {
    Checks.range("--batch-size", batchSize, 1, 1_000_000);
    Checks.usage(
        confusion == null || ConfusionFile.isKnown(confusion), "--confusion writes a file that ends in .csv or .png, not "
            + confusion);
    Checks.usage(csv == null || !csv.toString().equals("-"), "--csv writes a file; stdout, or -, has the results");
    requireFolder(csv); // not after minutes of computing
    requireFolder(confusion);
    classifiers.check();
    Checks.usage(
        csv == null || classifiers.answers() <= 1,
        "--csv writes the predictions of one classifier: give one of --classifier, --tta, "
            + ClassifierOptions.EXIT_CONFIDENCE + " and --calibrate at most");
    ResumeHint.requireModel(model);
    try (ModelFile file = ModelFile.read(model)) {
      return evaluate(file, processes);
    }
  }

  private int evaluate(ModelFile file, Communicator processes) {
    Checks.usage(
        !save || isOfRun(),
        "--save needs a run's folder, or the " + ModelFile.FILE_NAME + " next to its " + RunDirectory.CONFIG + "; " + model
            + " is neither");
    classifiers.requireClassifiers(file.config(), model.toString());
    String name = Checks.or(data.dataset, file.dataset());
    if (data.dataset == null && !new DataOptions.Names().contains(name)) {
      throw new ModelException(
          model + " was trained on '" + name + "', whose images only the program that trained it has; give a"
              + " --dataset with the same classes");
    }
    data.findAgain(model, name);
    Integer resize = file.input() == null ? null : file.input().resize();
    DataSetInfo info = data.info(name, file.config().images().height(), resize, spec.commandLine().getErr());
    Images test = data.load(info, Part.TEST, spec.commandLine().getErr());
    file.config()
        .requireFits(model.toString(), test.shape(), info.classes(), info.title(), "give its own --dataset");
    if (file.input() != null) { // files of older versions lack the class names
      ClassNames.requireSame(file.input().classNames(), info, model.toString());
    }
    Launch.requireSameInput(processes, model, test, batchSize);
    EvaluationResult result = result(file, info, test, processes);
    data.printSkipped(spec.commandLine().getErr(), processes);
    if (confusion != null && processes.isFirst()) {
      ConfusionFile.write(confusion, result.confusionMatrix(), info.classNames());
    }
    PrintWriter out = spec.commandLine().getOut();
    if (common.json) {
      JsonLines.print(out, "done", result);
    } else {
      result.print(out, info);
    }
    return 0;
  }

  private EvaluationResult result(ModelFile file, DataSetInfo info, Images test, Communicator processes) {
    PrintWriter err = spec.commandLine().getErr();
    Images train = classifiers.needsHeldOut() ? data.load(info, Part.TRAIN, err) : null;
    int[] heldOut = train == null ? null : classifiers.heldOut(train, validationOfRun(info), err);
    warnOfUnknownViews(info, test);
    try (NativeContext context = NativeContext.create(file.on(common.deviceOptions()), 0);
        DeviceNetwork network = new DeviceNetwork(context, file.config(), Optimizer.STATELESS);
        ImageFeed feed = ImageFeed.of(context, test, info, 0)) {
      network.setWeights(file.weights());
      ClassifierTally tally = new ClassifierTally(network, EarlyExits.confidencesWith(classifiers.exitConfidence));
      TestTimeAugmentation.Kind views = classifiers.augmentation();
      TestTimeAugmentation augmentation =
          views == null ? null : new TestTimeAugmentation(views, context, network, info);
      DeviceOptions device = context.inUse();
      processes.requireEqual("the precision", device.precision());
      Launch.warnOfCores(device.threads(), common.threads != null, err);
      common.printInUse(device, err);
      Decisions decided =
          heldOut == null ? Decisions.NONE : decide(context, network, info, train.plain(), heldOut, processes);
      ClassifierChoice choice = decided.classifier();
      ImageLogits outputs = new ImageLogits(info.classes(), ImageLogits.Answer.ofOutput(info.classes()));
      ImageLogits answers = csv == null ? null : answers(info, tally, choice, augmentation);
      Evaluator.BatchConsumer also = augmentation == null ? (number, batch, logits) -> { } : augmentation;
      if (classifiers.calibrate) {
        also = also.andThen(outputs);
      }
      if (answers != null && augmentation == null) {
        also = also.andThen(answers);
      }
      long started = System.nanoTime();
      TestMeasurement measured =
          TestMeasurement.of(network, feed, info, test.count(), batchSize, processes, tally, also);
      double seconds = (System.nanoTime() - started) * 1e-9;
      Evaluation evaluation = measured.evaluation();
      if (save && processes.isFirst()) {
        save(evaluation);
      }
      if (answers != null) {
        double temperature = decided.temperature() == null ? 1 : decided.temperature();
        new PredictionsFile(test, info, temperature).write(csv, answers, processes);
      }
      EvaluationResult.Chosen chosen =
          choice == null ? null : EvaluationResult.Chosen.of(choice, tally.error(choice, processes));
      return new EvaluationResult(
          measured.error(), evaluation.top5Error(), measured.loss(), measured.images(),
          device.device(), device.precision(), device.threads(), seconds, measured.layers(),
          evaluation.confusionMatrix(), evaluation.classScores(), chosen,
          classifiers.exitConfidence == null ? null : evaluation.earlyExits().at(classifiers.exitConfidence),
          augmentation == null ? null
              : new EvaluationResult.Augmented(views, augmentation.viewCount(), augmentation.error(processes)),
          evaluation.earlyExits(),
          decided.temperature() == null ? null
              : EvaluationResult.Calibration.of(
                  decided.temperature(), decided.images(), TemperatureScaling.rows(outputs, processes)));
    }
  }

  /** What so many held-out training images have decided; {@code null}: it was not asked for. */
  private record Decisions(ClassifierChoice classifier, Double temperature, int images) {
    static final Decisions NONE = new Decisions(null, null, 0);
  }

  private static void requireFolder(Path file) {
    Path folder = file == null ? null : file.toAbsolutePath().getParent();
    if (folder != null && !Files.isDirectory(folder)) {
      throw new LayerwiseException("Cannot write " + file + ": there is no folder " + folder + "; make it first");
    }
  }

  /** Will hold what {@code --csv} writes; of augmented images when these have been shown. */
  private ImageLogits answers(
      DataSetInfo info, ClassifierTally tally, ClassifierChoice choice, TestTimeAugmentation augmentation) {
    ImageLogits answers =
        new ImageLogits(
            info.classes(),
            choice != null ? tally.answer(choice)
                : classifiers.exitConfidence != null ? tally.answer(classifiers.exitConfidence)
                : ImageLogits.Answer.ofOutput(info.classes()));
    if (augmentation != null) {
      augmentation.keepIn(answers);
    }
    return answers;
  }

  private Decisions decide(
      NativeContext context, DeviceNetwork network, DataSetInfo info, Images plain, int[] heldOut,
      Communicator processes) {
    ClassifierTally tally = new ClassifierTally(network, List.of());
    ImageLogits outputs = new ImageLogits(info.classes(), ImageLogits.Answer.ofOutput(info.classes()));
    try (ImageFeed feed = ImageFeed.of(context, plain, info, 0)) {
      Evaluator.evaluate(
          network, feed, "validation", heldOut, batchSize, processes,
          classifiers.calibrate ? tally.andThen(outputs) : tally);
    }
    List<ImageLogits.Row> rows = TemperatureScaling.rows(outputs, processes);
    return new Decisions(
        classifiers.kind() == null ? null : tally.choose(classifiers.kind(), processes),
        classifiers.calibrate ? TemperatureScaling.fit(rows) : null, rows.size());
  }

  /** {@code null} if the model is not of a run on this data set. */
  private ClassifierOptions.RunValidation validationOfRun(DataSetInfo info) {
    if (!isOfRun()) {
      return null;
    }
    TrainingConfig training = RunDirectory.readConfig(folder()).training();
    return training.dataset().equals(info.name())
        ? new ClassifierOptions.RunValidation(
            training.batches().validates() ? training.batches().validation() : null, training.seed())
        : null;
  }

  private void warnOfUnknownViews(DataSetInfo info, Images test) {
    TestTimeAugmentation.Kind kind = classifiers.augmentation();
    if (kind == null || test instanceof StreamedImages) {
      return; // images on disk are cropped at random and mirrored when they are read for training
    }
    List<String> unknown = new ArrayList<>();
    if (!info.horizontalFlip()) {
      unknown.add("mirrored");
    }
    if (kind == TestTimeAugmentation.Kind.MULTI_CROP && info.cropPadding() == 0) {
      unknown.add("moved");
    }
    if (!unknown.isEmpty()) {
      String which = String.join(" or ", unknown);
      PrintWriter err = spec.commandLine().getErr();
      err.println(
          "layerwise: " + info.title() + " is usually trained without " + which + " images, so the network may not"
              + " recognize such views, which --tta shows it");
      err.flush();
    }
  }

  private Path folder() {
    return RunDirectory.folderOf(model);
  }

  /** Whether the model belongs to the run in its folder. */
  private boolean isOfRun() {
    return Files.exists(folder().resolve(RunDirectory.CONFIG))
        && (Files.isDirectory(model) || model.endsWith(ModelFile.FILE_NAME));
  }

  private void save(Evaluation evaluation) {
    try (RunDirectory directory = RunDirectory.open(folder())) {
      directory.writeEvaluation(evaluation);
    }
  }
}
