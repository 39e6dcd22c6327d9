package dev.layerwise.api;

import dev.layerwise.LayerwiseException;
import dev.layerwise.data.ClassNames;
import dev.layerwise.export.OnnxExporter;
import dev.layerwise.model.InputDescription;
import dev.layerwise.model.LayerSpec;
import dev.layerwise.model.ModelException;
import dev.layerwise.model.ModelFile;
import dev.layerwise.model.Networks;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;

/**
 * A trained network, ready to classify images and to give features.
 *
 * <p>Any number of threads may use a model at a time. It holds one or more copies of the network ({@link
 * Options#replicas}); a call takes one that is idle, or waits for one, so that as many calls compute at a time as there
 * are copies. All copies give the same bits: which one a call gets makes no difference.
 *
 * <p>Closing waits for the calls under way; later ones are refused.
 */
public final class Model extends ModelInput implements AutoCloseable {
  private static final int TEST_BATCH = 128;

  private final String dataSet;
  private final Device device;
  private final List<LayerSpec> specs;
  private final List<Layer> layers;
  private final Replicas replicas;

  /**
   * How a model computes.
   *
   * @param device where, and in which precision. The number of threads is that of one call; it may change the last
   *     bits of results
   * @param replicas copies of the network, and so calls that compute at a time. Memory grows with them
   * @param exif whether image files are turned as the camera's mark of orientation (EXIF) says; false: pixels are taken
   *     as they are stored
   */
  public record Options(Device device, int replicas, boolean exif) {
    /**
     * One copy on the CPU that takes all cores: the fastest for large batches.
     *
     * @return the options
     */
    public static Options defaults() {
      return of("cpu", 0, 1);
    }

    /**
     * A copy per core, each of one thread: for many callers with an image each, as in a web service.
     *
     * @return the options
     */
    public static Options service() {
      return of("cpu", 1, Runtime.getRuntime().availableProcessors());
    }

    /**
     * Copies on a device that chooses its precision itself.
     *
     * @param device {@code cpu}, {@code cuda}, {@code reference} (plain loops, float64; slow), or {@code auto}: the first GPU
     *     that works, otherwise the CPU
     * @param threads that one call computes with; 0: one per core
     * @param replicas copies of the network
     * @return the options
     */
    public static Options of(String device, int threads, int replicas) {
      return new Options(Device.of(device, threads), replicas);
    }

    /**
     * The same options, but for how image files are read.
     *
     * @param exif whether image files are turned as the camera's mark of orientation (EXIF) says
     * @return the options
     */
    public Options withExif(boolean exif) {
      return new Options(device, replicas, exif);
    }

    /**
     * Options by which image files are turned as the camera's mark of orientation (EXIF) says.
     *
     * @param device where to compute
     * @param replicas copies of the network
     * @throws LayerwiseException if there is no copy
     */
    public Options(Device device, int replicas) {
      this(device, replicas, true);
    }

    /**
     * Checks the number of copies.
     *
     * @param device where to compute
     * @param replicas copies of the network
     * @param exif whether image files are turned
     * @throws LayerwiseException if there is no copy
     */
    public Options {
      Objects.requireNonNull(device);
      if (replicas < 1) {
        throw new ModelException("a model needs at least 1 replica, not " + replicas);
      }
    }
  }

  private Model(ModelFile file, InputDescription input, Options options) {
    super(file.config(), input, options.exif());
    dataSet = file.dataset();
    replicas = new Replicas(file, input, options);
    device = replicas.device();
    specs = Networks.layers(config);
    layers = Layer.listOf(specs, config);
  }

  /**
   * Opens a model with {@link Options#defaults}.
   *
   * @param path a run's folder, or its {@code model.safetensors}, which is all that is needed
   * @return the model, to be closed after use
   * @throws LayerwiseException if there is no whole model there
   */
  public static Model open(Path path) {
    return open(path, Options.defaults());
  }

  /**
   * Opens a model.
   *
   * @param path a run's folder, or its {@code model.safetensors}, which is all that is needed
   * @param options where it computes
   * @return the model, to be closed after use
   * @throws LayerwiseException if there is no whole model there, or the device is not available
   */
  public static Model open(Path path, Options options) {
    try (ModelFile file = ModelFile.read(path)) {
      return new Model(file, file.requireInput(path.toString()), options);
    }
  }

  /**
   * Where a call computes.
   *
   * @return the device, with the precision and the number of threads in use
   */
  public Device device() {
    return device;
  }

  /**
   * The data set that it was trained on.
   *
   * @return its name
   */
  public String dataSet() {
    return dataSet;
  }

  /**
   * The blocks.
   *
   * @return in the order in which they are computed; the output layer is the last
   */
  public List<Layer> layers() {
    return layers;
  }

  /**
   * Finds a layer.
   *
   * @param nameOrNumber a layer's {@link Layer#name} or {@link Layer#number}
   * @return the layer
   * @throws LayerwiseException if there is none; the message lists those that there are
   */
  public Layer layer(String nameOrNumber) {
    return layers.get(position(nameOrNumber));
  }

  /**
   * The layer that classifies unless another is asked for.
   *
   * @return the output layer, which is the last
   */
  public Layer outputLayer() {
    return layers.get(layers.size() - 1);
  }

  /**
   * The layer whose output serves as features unless another is asked for.
   *
   * @return the last before the output layer, or the output layer if there is no other
   */
  public Layer featureLayer() {
    return layers.get(Math.max(0, layers.size() - 2));
  }

  private int position(String nameOrNumber) {
    return Networks.position(specs, nameOrNumber);
  }

  /**
   * The output layer's judgement of one image.
   *
   * @param pixels levels in (C, H, W) order, as {@link #read(Path)} gives them
   * @return all classes, the likeliest first
   * @throws LayerwiseException if there are more or fewer pixels than one image has
   */
  public List<Prediction> predict(byte[] pixels) {
    return predict(pixels, outputLayer().name());
  }

  /**
   * The judgement of one image by a layer's classifier; no later layer is computed.
   *
   * @param pixels levels in (C, H, W) order, as {@link #read(Path)} gives them
   * @param layer name or number of a layer that {@linkplain Layer#classifies classifies}
   * @return all classes, the likeliest first
   * @throws LayerwiseException if the layer has no classifier, or there are more or fewer pixels than one image has
   */
  public List<Prediction> predict(byte[] pixels, String layer) {
    return ranked(softmax(classify(pixels, 1, layer)[0]));
  }

  /**
   * A layer's classifier's outputs, before softmax.
   *
   * @param pixels levels in (N, C, H, W) order
   * @param count N
   * @param layer name or number of a layer that {@linkplain Layer#classifies classifies}
   * @return for each image one number per class
   * @throws LayerwiseException if the layer has no classifier, N is not positive, or there are more or fewer pixels
   *     than N images have
   */
  public float[][] classify(byte[] pixels, int count, String layer) {
    int position = position(layer);
    return Replica.rows(replicas.call(replica -> replica.logits(position, pixels, count)), count);
  }

  /**
   * What the first layer says that is certain enough.
   *
   * @param layer whose classifier answers
   * @param outputs of the classifier, before softmax: one number per class
   */
  public record Answer(Layer layer, float[] outputs) {}

  /**
   * Classifies each image by the first layer whose classifier is certain enough; the output layer always answers. An image's
   * outputs have the bits that {@link #classify(byte[], int, String)} gives for that layer and the same batch. All images
   * are passed on until the last of them has its answer: smaller batches of those left would round differently. Pass few
   * images at a time, or one, if the time saved matters.
   *
   * @param pixels levels in (N, C, H, W) order
   * @param count N
   * @param confidence probability of a classifier's first choice, 0 to 1, that is enough
   * @return an answer for each image
   * @throws LayerwiseException if the model has no local classifiers, the confidence is out of its range, N is not positive,
   *     or there are more or fewer pixels than N images have
   */
  public List<Answer> classify(byte[] pixels, int count, double confidence) {
    return replicas.call(replica -> new LayerAnswers(this, replica, pixels, count).firstCertain(confidence));
  }

  /**
   * The mean of the probabilities that the classifiers of several layers give, as {@code evaluate --classifier average}
   * chooses them. No layer behind the last of them is computed.
   *
   * @param pixels levels in (N, C, H, W) order
   * @param count N
   * @param layers names or numbers of layers that {@linkplain Layer#classifies classify}, at least one
   * @return for each image one probability per class
   * @throws LayerwiseException if there is no layer, one has no classifier, N is not positive, or there are more or fewer
   *     pixels than N images have
   */
  public double[][] probabilities(byte[] pixels, int count, List<String> layers) {
    List<Layer> asked = layers.stream().map(this::layer).distinct().toList();
    asked.stream().filter(layer -> !layer.classifies()).findFirst().ifPresent(
        layer -> {
          throw new ModelException(layer.name() + " has no classifier to predict with");
        });
    if (asked.isEmpty()) {
      throw new ModelException("a mean of probabilities needs at least one layer");
    }
    return replicas.call(replica -> new LayerAnswers(this, replica, pixels, count).mean(asked));
  }

  /**
   * A layer's output: what the next layer sees, in evaluation mode (running statistics, no dropout). No later layer is
   * computed.
   *
   * @param pixels levels in (N, C, H, W) order
   * @param count N
   * @param layer name or number of a layer
   * @return for each image {@link Layer#features} numbers, flattened in channel, row, column order
   * @throws LayerwiseException if there is no such layer, N is not positive, or there are more or fewer pixels
   *     than N images have
   */
  public float[][] features(byte[] pixels, int count, String layer) {
    int position = position(layer);
    return Replica.rows(replicas.call(replica -> replica.features(position, pixels, count)), count);
  }

  /**
   * Tests the model on the test images of a data set, in batches of 128. Gives the figures of the command
   * {@code evaluate}.
   *
   * @param data with the classes that the model has learned, in the same order
   * @return errors, of the local classifiers too, and what is known of every class
   * @throws LayerwiseException if the data's images or classes are others than the model's, or none of the images can be
   *     used
   */
  public Evaluation evaluate(DataSet data) {
    var loaded = data.loaded();
    config.requireFits(
        "the model", loaded.test().shape(), loaded.info().classes(), loaded.info().title(),
        "give the data set that it was trained on");
    ClassNames.requireSame(input.classNames(), loaded.info(), "the model");
    return Evaluation.of(replicas.call(replica -> replica.test(loaded, TEST_BATCH)));
  }

  /**
   * Writes the network in evaluation mode as an ONNX file (operator set 17) with the output {@code logits}.
   *
   * @param file to write, whole or not at all; one that is there is replaced
   * @return names of the outputs
   * @throws LayerwiseException if the network is too large for such a file, or it cannot be written
   * @see #exportOnnx(Path, String, boolean)
   */
  public List<String> exportOnnx(Path file) {
    return exportOnnx(file, layers.get(layers.size() - 1).name(), false);
  }

  /**
   * Writes the network up to a layer's classifier as an ONNX file (operator set 17). Its input {@code images} is float32,
   * (N, C, H, W) with any N, and normalized: (level / 255 − mean) / deviation per channel. The file's metadata entry {@code
   * layerwise.input} has the mean, the deviation and the class names.
   *
   * @param file to write, whole or not at all; one that is there is replaced
   * @param layer name or number of a layer that {@linkplain Layer#classifies classifies}; its outputs, before softmax, are
   *     {@code logits}
   * @param localClassifiers whether the local classifiers of the blocks before it are outputs, too
   * @return names of the outputs
   * @throws LayerwiseException if the layer has no classifier, the model has no local classifiers, the network is too large
   *     for such a file, or it cannot be written
   */
  public List<String> exportOnnx(Path file, String layer, boolean localClassifiers) {
    int position = position(layer);
    String last = position == specs.size() - 1 ? null : specs.get(position).name(); // of a whole network no layer is named
    return replicas.call(replica -> OnnxExporter.write(replica.model(dataSet), "the model", last, localClassifiers, file));
  }

  /**
   * Probabilities of classes.
   *
   * @param outputs of a classifier
   * @return exp(output) over the sum of them all
   */
  public static double[] softmax(float[] outputs) {
    double largest = IntStream.range(0, outputs.length).mapToDouble(i -> outputs[i]).max().orElseThrow();
    double[] powers = IntStream.range(0, outputs.length).mapToDouble(i -> Math.exp(outputs[i] - largest)).toArray();
    double sum = 0;
    for (double power : powers) {
      sum += power;
    }
    for (int i = 0; i < powers.length; i++) {
      powers[i] /= sum;
    }
    return powers;
  }

  /**
   * Puts names to probabilities.
   *
   * @param probabilities one per class
   * @return all classes, the likeliest first, and equally likely ones in their order
   */
  public List<Prediction> ranked(double[] probabilities) {
    return IntStream.range(0, probabilities.length)
        .mapToObj(i -> new Prediction(i, input.classNames().get(i), probabilities[i]))
        .sorted(Comparator.comparingDouble((Prediction prediction) -> -prediction.probability()))
        .toList();
  }

  /** Waits for the calls under way, and frees the native memory. An interrupt does not cut the wait short. */
  @Override
  public void close() {
    replicas.close();
  }
}
