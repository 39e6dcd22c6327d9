package dev.layerwise.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.layerwise.LayerwiseException;
import dev.layerwise.api.Device;
import dev.layerwise.api.Layer;
import dev.layerwise.api.Model;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.ImageSet;
import dev.layerwise.data.Images;
import dev.layerwise.data.Part;
import dev.layerwise.data.stream.Batch;
import dev.layerwise.data.stream.BatchSource;
import dev.layerwise.data.stream.StreamedImages;
import dev.layerwise.export.NpyFile;
import dev.layerwise.files.AtomicFiles;
import dev.layerwise.files.FileErrors;
import dev.layerwise.files.FileNames;
import dev.layerwise.settings.ImageShape;
import dev.layerwise.train.BatchSlice;
import dev.layerwise.train.Communicator;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Writes a block's output for images. */
@Command(
    resourceBundle = "dev.layerwise.cli.SettingDefaults$OfEmbed",
    name = "embed",
    description = {
      "Writes a block's output for images as features for other programs: a float32 matrix in NumPy's format with one row"
          + " per image, flattened in channel, row, column order.",
      "Also writes X.labels.npy with a data set's labels, or X.files.txt with the names of image files, in the order of the"
          + " rows. Whichever of the two an earlier run left and this one does not write is removed.",
      "Started with mpirun, several processes share the images, and the first one writes; the files are those of one."
    })
final class EmbedCommand implements Callable<Integer> {
  /** Endings of the files next to the matrix. */
  private static final String LABELS = ".labels.npy";
  private static final String FILES = ".files.txt";

  /** The part of a data set. */
  enum Split {
    train,
    test
  }

  @Mixin(name = CommonOptions.NAME)
  private CommonOptions common;

  @Parameters(index = "0", paramLabel = "MODEL", description = "A run's folder or its model.safetensors.")
  private Path path;

  @Parameters(index = "1..*", arity = "0..*", paramLabel = "IMAGE|DIR", description = ImageArguments.DESCRIPTION)
  private List<Path> images = new ArrayList<>();

  @Mixin private DataOptions data;

  @Option(
      names = "--split",
      paramLabel = "PART",
      description = "Part of the data set: ${COMPLETION-CANDIDATES}. Training images are not augmented. Default: test.")
  private Split split;

  @Option(
      names = "--layer",
      paramLabel = "LAYER",
      description = "Block whose output to write: a number or name shown by 'layerwise inspect'; later blocks are not"
          + " computed. Default: the last before the output layer.")
  private String layer;

  @Option(names = "--out", required = true, paramLabel = "X.npy", description = "The file to write.")
  private Path out;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      defaultValue = "128",
      description = "Images per pass. Default: ${DEFAULT-VALUE}.")
  private int batchSize;

  @Spec private CommandSpec spec;

  /**
   * The JSON result.
   *
   * @param output of one image: channels, height, width
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  private record Result(
      int images, int features, String layer, int[] output, String out, String labels, String files) {}

  @Override
  public Integer call() {
    return Launch.together(this::call);
  }

  private int call(Communicator processes) {
    Checks.range("--batch-size", batchSize, 1, 1_000_000);
    Checks.usage(out.toString().endsWith(".npy"), "--out must end in .npy; " + out + " does not");
    Checks.usage(images.isEmpty() == (data.dataset != null), "give either images or a data set with --dataset");
    Checks.usage(
        data.dataset != null
            || (split == null && data.dataDir == null && data.imageSize == null && data.resize == null && !data.strict),
        "--split, --data-dir, --image-size, --resize and --strict need --dataset");
    ResumeHint.requireModel(path);
    Model.Options options = new Model.Options(common.device(), 1, !data.noExif);
    try (Model model = Model.open(path, options)) {
      Device device = model.device();
      common.printInUse(device, spec.commandLine().getErr());
      Layer of = layer != null ? Checks.layer(model, layer) : model.featureLayer();
      processes.requireEqual("the precision", device.precision().toString());
      processes.requireEqual("--layer", of.name());
      Launch.warnOfCores(device.threads(), common.threads != null, spec.commandLine().getErr());
      return data.dataset == null ? embedFiles(model, of, processes) : embedDataSet(model, of, processes);
    }
  }

  private int embedFiles(Model model, Layer of, Communicator processes) {
    ImageArguments arguments = new ImageArguments(images, spec.commandLine().getErr());
    int count = arguments.count();
    Launch.requireSameInput(processes, path, null, batchSize);
    processes.requireEqual("the number of images", Integer.toString(count));
    FeatureRounds.Source source =
        number -> {
          int from = number * batchSize;
          ImageArguments.Batch batch = arguments.read(model, from, (int) Math.min((long) from + batchSize, count));
          return new FeatureRounds.Images(
              batch.pixels(), batch.files().stream().map(FileNames::text).toList(), batch.problems());
        };
    List<String> files = write(new FeatureRounds(processes, model, of), of, count, source, arguments::report, processes);
    if (processes.isFirst()) {
      remove(LABELS);
      Path names = NpyFile.beside(out, FILES);
      String text = String.join("", files.stream().map(file -> file + "\n").toList());
      AtomicFiles.write(names, stream -> stream.write(text.getBytes(StandardCharsets.UTF_8)));
      print(of, files.size(), null, names);
    }
    return arguments.exitCode();
  }

  private int embedDataSet(Model model, Layer of, Communicator processes) {
    PrintWriter err = spec.commandLine().getErr();
    data.findAgain(path, data.dataset);
    DataSetInfo info = data.info(data.dataset, model.height(), model.resize(), err);
    Images chosen = data.load(info, split == Split.train ? Part.TRAIN : Part.TEST, spec.commandLine().getErr());
    new ImageShape(model.channels(), model.height(), model.width())
        .requireFits(path.toString(), chosen.shape(), info.title(), "give another --dataset");
    Launch.requireSameInput(processes, path, chosen, batchSize);
    FeatureRounds rounds = new FeatureRounds(processes, model, of);
    List<String> labels;
    if (chosen instanceof StreamedImages streamed) {
      try (StreamedBatches batches = new StreamedBatches(streamed, processes.slice())) {
        labels = write(rounds, of, chosen.count(), batches, problems -> { }, processes);
      }
    } else {
      labels = write(rounds, of, chosen.count(), number -> inMemory((ImageSet) chosen, number), problems -> { }, processes);
    }
    data.printSkipped(err, processes);
    if (processes.isFirst()) {
      remove(FILES);
      Path labelFile = NpyFile.beside(out, LABELS);
      NpyFile.writeVector(labelFile, labels.stream().mapToInt(Integer::parseInt).toArray());
      print(of, labels.size(), labelFile, null);
    }
    return 0;
  }

  private static FeatureRounds.Images labelled(byte[] pixels, int[] labels) {
    return new FeatureRounds.Images(pixels, Arrays.stream(labels).mapToObj(Integer::toString).toList(), List.of());
  }

  private FeatureRounds.Images inMemory(ImageSet images, int number) {
    int from = number * batchSize;
    int to = (int) Math.min((long) from + batchSize, images.count());
    return labelled(images.pixels(from, to), Arrays.copyOfRange(images.labels(), from, to));
  }

  /** This process's batches of images on disk, read ahead. */
  private final class StreamedBatches implements FeatureRounds.Source, AutoCloseable {
    private final BatchSlice slice;
    private final BatchSource source;
    private Batch ahead;
    private int numberAhead;

    StreamedBatches(StreamedImages images, BatchSlice slice) {
      this.slice = slice;
      source = images.plain().open(slice.ofWholeBatches(images.count(), batchSize), batchSize, 0, 1, null);
      advance();
    }

    private void advance() {
      ahead = source.next();
      numberAhead = slice.wholeBatch((source.taken() - 1) / batchSize);
    }

    @Override
    public FeatureRounds.Images batch(int number) {
      if (ahead == null || numberAhead != number) {
        return FeatureRounds.Images.NONE; // none of its images can be used
      }
      Batch batch = ahead;
      advance();
      return labelled(batch.pixels(), batch.labels());
    }

    @Override
    public void close() {
      source.close();
    }
  }

  /**
   * Writes one row per image, if this is the first process. Writes nothing if no image can be read.
   *
   * @return the images' names, in the order of rows
   */
  private List<String> write(
      FeatureRounds rounds, Layer of, int count, FeatureRounds.Source source, Consumer<List<String>> problems,
      Communicator processes) {
    List<String> names = new ArrayList<>();
    NpyFile.Content content =
        rows -> {
          int batches = (int) (((long) count + batchSize - 1) / batchSize);
          rounds.compute(
              batches, source,
              (passed, why) -> {
                names.addAll(passed);
                problems.accept(why);
              },
              rows);
          if (names.isEmpty()) {
            throw new LayerwiseException("none of the images could be read; " + out + " was not written");
          }
        };
    if (processes.isFirst()) {
      NpyFile.writeMatrix(out, of.features(), content);
      return names;
    }
    try {
      content.writeTo(row -> { });
      return names;
    } catch (IOException e) {
      throw new UncheckedIOException(e); // sources of images have exceptions of their own
    }
  }

  /** Removes what an earlier matrix of this name may have left, and this one does not write. */
  private void remove(String stale) {
    Path beside = NpyFile.beside(out, stale);
    try {
      Files.deleteIfExists(beside);
    } catch (IOException e) {
      throw new LayerwiseException(
          "cannot remove " + beside + ", which belongs to an earlier " + out + " (" + FileErrors.reason(e) + ")", e);
    }
  }

  private void print(Layer of, int count, Path labels, Path files) {
    PrintWriter stdout = spec.commandLine().getOut();
    if (common.json) {
      int[] output = {of.channels(), of.height(), of.width()};
      JsonLines.print(
          stdout, "done",
          new Result(
              count, of.features(), of.name(), output, out.toString(), labels == null ? null : labels.toString(),
              files == null ? null : files.toString()));
      return;
    }
    stdout.printf(
        "%d images with %d features each (%s: %d×%d×%d) are in %s%n%s are in %s%n", count, of.features(), of.name(),
        of.channels(), of.height(), of.width(), out, labels == null ? "the files' names" : "their labels",
        labels == null ? files : labels);
    stdout.flush();
  }
}
