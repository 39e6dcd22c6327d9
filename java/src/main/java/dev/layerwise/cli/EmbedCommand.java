package dev.layerwise.cli;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.layerwise.LayerwiseException;
import dev.layerwise.api.Layer;
import dev.layerwise.api.Model;
import dev.layerwise.data.DataSet;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.ImageSet;
import dev.layerwise.data.Images;
import dev.layerwise.data.stream.Batch;
import dev.layerwise.data.stream.BatchSource;
import dev.layerwise.data.stream.StreamedImages;
import dev.layerwise.export.NpyFile;
import dev.layerwise.files.AtomicFiles;
import dev.layerwise.files.FileErrors;
import dev.layerwise.files.FileNames;
import dev.layerwise.settings.ImageShape;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Writes a block's output for images. */
@Command(
    name = "embed",
    description = {
      "Writes a block's output for images as features for other programs: a float32 matrix in NumPy's format with one row"
          + " per image, flattened in channel, row, column order.",
      "Also writes X.labels.npy with a data set's labels, or X.files.txt with the names of image files, in the order of the"
          + " rows. Whichever of the two an earlier run left and this one does not write is removed."
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

  /** Computes images. */
  @FunctionalInterface
  private interface Sink {
    void add(byte[] pixels, int count) throws IOException;
  }

  /** Takes images with their labels. */
  @FunctionalInterface
  private interface BatchSink {
    void add(Batch batch) throws IOException;
  }

  /** Passes on all images. */
  @FunctionalInterface
  private interface Source {
    void writeTo(Sink sink) throws IOException;
  }

  @Override
  public Integer call() {
    Checks.range("--batch-size", batchSize, 1, 1_000_000);
    Checks.usage(out.toString().endsWith(".npy"), "--out must end in .npy; " + out + " does not");
    Checks.usage(images.isEmpty() == (data.dataset != null), "give either images or a data set with --dataset");
    Checks.usage(
        data.dataset != null || (split == null && data.dataDir == null && data.imageSize == null && !data.strict),
        "--split, --data-dir, --image-size and --strict need --dataset");
    ResumeHint.requireModel(path);
    Model.Options options = new Model.Options(common.deviceOptions(), 1, !data.noExif);
    try (Model model = Model.open(path, options)) {
      CommonOptions.printInUse(model.device(), spec.commandLine().getErr());
      List<Layer> layers = model.layers();
      Layer of = layer != null ? Checks.layer(model, layer) : layers.get(Math.max(0, layers.size() - 2));
      return data.dataset == null ? embedFiles(model, of) : embedDataSet(model, of);
    }
  }

  private int embedFiles(Model model, Layer of) {
    ImageArguments arguments = new ImageArguments(images, spec.commandLine().getErr());
    List<Path> files = new ArrayList<>();
    write(model, of, LABELS, sink ->
        arguments.read(model, batchSize, batch -> {
          files.addAll(batch.files());
          sink.add(batch.pixels(), batch.files().size());
        }));
    Path names = NpyFile.beside(out, FILES);
    String text = String.join("", files.stream().map(file -> FileNames.text(file) + "\n").toList());
    AtomicFiles.write(names, stream -> stream.write(text.getBytes(StandardCharsets.UTF_8)));
    print(of, files.size(), null, names);
    return arguments.exitCode();
  }

  private int embedDataSet(Model model, Layer of) {
    PrintWriter err = spec.commandLine().getErr();
    DataSetInfo info = data.info(data.dataset, model.height(), err);
    DataSet<?> set = data.load(info);
    Images chosen = split == Split.train ? set.train() : set.test();
    new ImageShape(model.channels(), model.height(), model.width())
        .requireFits(path.toString(), chosen.shape(), info.title(), "give another --dataset");
    int[] labels = new int[chosen.count()];
    int[] written = new int[1];
    write(model, of, FILES, sink -> eachBatch(chosen, batch -> {
      System.arraycopy(batch.labels(), 0, labels, written[0], batch.count());
      written[0] += batch.count();
      sink.add(batch.pixels(), batch.count());
    }));
    Path labelFile = NpyFile.beside(out, LABELS);
    NpyFile.writeVector(labelFile, Arrays.copyOf(labels, written[0]));
    data.printSkipped(err);
    print(of, written[0], labelFile, null);
    return 0;
  }

  private void eachBatch(Images chosen, BatchSink sink) throws IOException {
    if (chosen instanceof StreamedImages streamed) {
      int[] order = IntStream.range(0, streamed.count()).toArray();
      try (BatchSource source = streamed.plain().open(order, batchSize, 0, 1)) {
        for (Batch batch = source.next(); batch != null; batch = source.next()) {
          sink.add(batch);
        }
      }
      return;
    }
    ImageSet resident = (ImageSet) chosen;
    int bytes = resident.channels() * resident.height() * resident.width();
    for (int from = 0; from < resident.count(); from += batchSize) {
      int to = (int) Math.min((long) from + batchSize, resident.count());
      sink.add(
          new Batch(
              Arrays.copyOfRange(resident.pixels(), from * bytes, to * bytes),
              Arrays.copyOfRange(resident.labels(), from, to)));
    }
  }

  /**
   * Writes one row per image. Writes nothing if no image can be read.
   *
   * @param stale ending of the file that an earlier matrix of this name may have left, and this one does not write
   */
  private void write(Model model, Layer of, String stale, Source source) {
    boolean[] any = new boolean[1];
    NpyFile.writeMatrix(out, of.features(), rows -> {
      source.writeTo((pixels, count) -> {
        any[0] = true;
        for (float[] row : model.features(pixels, count, of.name())) {
          rows.add(row);
        }
      });
      if (!any[0]) {
        throw new LayerwiseException("none of the images could be read; " + out + " was not written");
      }
    });
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
