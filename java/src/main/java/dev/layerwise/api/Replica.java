package dev.layerwise.api;

import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.model.InputDescription;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.ModelException;
import dev.layerwise.model.ModelFile;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeDataSet;
import dev.layerwise.nativelib.NativeTensor;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.train.ClassifierTally;
import dev.layerwise.train.ImageFeed;
import dev.layerwise.train.SingleProcess;
import dev.layerwise.train.TestMeasurement;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;

/** One copy of a model's network on a device of its own, for one thread at a time. */
final class Replica implements AutoCloseable {
  private final ModelConfig config;
  private final InputDescription input;
  private final NativeContext context;
  private final DeviceNetwork network;

  Replica(ModelFile file, InputDescription input, Model.Options options) {
    this.config = file.config();
    this.input = input;
    context = NativeContext.create(file.on(options.device().options()), 0);
    try {
      network = new DeviceNetwork(context, config, Optimizer.STATELESS);
      network.setWeights(file.weights());
    } catch (RuntimeException e) {
      context.close();
      throw e;
    }
  }

  /** The device in use. */
  DeviceOptions device() {
    return context.inUse();
  }

  boolean hasLocalClassifiers() {
    return config.losses().hasLocalClassifiers();
  }

  /** A block's classifier's outputs, {@code classes} per image. */
  float[] logits(int position, byte[] pixels, int count) {
    return compute(pixels, count, images -> read(network.classify(position, images)));
  }

  /** A block's output, in (N, C, H, W) order. */
  float[] features(int position, byte[] pixels, int count) {
    return compute(pixels, count, images -> read(network.evaluate(position, images, null)));
  }

  /** Shows what each classifier says, see {@link DeviceNetwork#classifyLayers}. */
  void classifyLayers(byte[] pixels, int count, DeviceNetwork.Answers answers) {
    compute(
        pixels, count,
        images -> {
          network.classifyLayers(images, null, answers);
          return null;
        });
  }

  /** The network with its weights as they are on the device, for one who writes it to a file. */
  ModelFile model(String dataSet) {
    return new ModelFile(config, dataSet, input, null, network.weights(), null);
  }

  /** How well the network does on a data set's test images. */
  TestMeasurement test(dev.layerwise.data.DataSet<?> data, int batchSize) {
    try (ImageFeed feed = ImageFeed.of(context, data.test(), data.info(), 0)) {
      return TestMeasurement.of(
          network, feed, data.info(), data.test().count(), batchSize, new SingleProcess(),
          new ClassifierTally(network, List.of()), null);
    }
  }

  private static float[] read(NativeTensor result) {
    try (result) {
      return result.read();
    }
  }

  /** A row per image; a network whose weights are damaged gives no answer instead of a wrong one. */
  static float[][] rows(float[] values, int count) {
    int length = values.length / count;
    for (int i = 0; i < values.length; i++) {
      if (!Float.isFinite(values[i])) {
        throw new ModelException(
            "the network computes " + values[i] + " for image " + (i / length + 1) + " of " + count
                + ": its weights are not usable; train it again");
      }
    }
    float[][] rows = new float[count][length];
    for (int i = 0; i < count; i++) {
      System.arraycopy(values, i * length, rows[i], 0, length);
    }
    return rows;
  }

  /** Normalization is the device's, as in training. */
  private <T> T compute(byte[] pixels, int count, Function<NativeTensor, T> pass) {
    if (count < 1) {
      throw new ModelException("there must be at least 1 image, not " + count);
    }
    int[] order = IntStream.range(0, count).toArray();
    try (NativeDataSet bytes =
        context.dataSet(
            pixels, new int[count], count, config.images().channels(), config.images().height(), config.images().width(),
            config.classes(), input.mean(), input.deviation())) {
      bytes.choose(order, 0, count);
      try (NativeDataSet.Batch batch = bytes.batch(null)) {
        return pass.apply(batch.images());
      }
    }
  }

  @Override
  public void close() {
    context.close();
  }
}
