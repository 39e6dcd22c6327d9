package dev.layerwise.parity;

import dev.layerwise.files.FileException;
import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.model.LayerSpec;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeDataSet;
import dev.layerwise.nativelib.NativeTensor;
import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.safetensors.TensorSource;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.ImageShape;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Settings;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** Some training steps of a whole network on real images, against the reference trajectory. */
final class NetworkReplay {
  // Float32 rounding alone moves the trajectories by up to a tenth of these.
  private static final double GLOBAL_LOSS_TOLERANCE = 1e-3;
  private static final double BACKPROP_LOSS_TOLERANCE = 2e-2;
  private static final double BLOCK_LOSS_TOLERANCE = 2e-3;

  private NetworkReplay() {}

  static ParityResult run(Fixture fixture, NativeContext context) {
    Comparison comparison = new Comparison(context.precision());
    Optimizer optimizer =
        Settings.with(
            Optimizer.DEFAULT, "optim", fixture.text("optimizer"), "momentum", fixture.number("momentum"), "weight_decay",
            fixture.number("weight_decay"));
    try (DeviceNetwork network = new DeviceNetwork(context, config(fixture), optimizer)) {
      Map<String, TensorSource> weights = new HashMap<>(network.weights()); // running statistics stay as they start
      Map<String, HostTensor> tensors = fixture.contents().tensors();
      tensors.forEach(
          (name, value) -> {
            if (name.startsWith("init.")) {
              weights.put(name.substring("init.".length()), value);
            }
          });
      network.setWeights(weights);
      train(fixture, context, network, comparison);
      // Adam turns rounding noise in tiny gradients into full steps; only SGD's end can be judged.
      if (fixture.text("optimizer").equals("sgd") && !comparison.isNarrow()) {
        Map<String, TensorSource> trained = network.weights();
        tensors.forEach(
            (name, value) -> {
              if (name.startsWith("final.")) {
                comparison.tensor(name, required(trained, name.substring("final.".length())), value.toFloats());
              }
            });
        comparison.tensor("test.logits", testLogits(fixture, context, network), fixture.tensor("test.logits").toFloats());
      }
    }
    return comparison.result(fixture.name());
  }

  private static ModelConfig config(Fixture fixture) {
    boolean backprop = fixture.flag("backprop");
    int side = fixture.integer("input_dim");
    Architecture architecture =
        Settings.with(
            Architecture.DEFAULT, "model", fixture.text("model"), "feat_mult", fixture.number("feature_multiplier"),
            "num_layers", fixture.integer("num_layers"), "num_hidden", fixture.integer("num_hidden"),
            "pre_act", fixture.flagOr("pre_act", false), "nonlin", fixture.text("nonlinearity"));
    Losses losses =
        Settings.with(
            Losses.DEFAULT.withLoss(backprop ? null : fixture.text("loss")), "beta", fixture.number("beta"),
            "alpha", fixture.number("alpha"), "loss_unsup", fixture.text("unsupervised"), "bio", fixture.flag("bio"),
            "dim_in_decoder", fixture.integer("dim_in_decoder"), "similarity_std", fixture.flag("similarity_std"));
    return new ModelConfig(
        architecture, losses, new ImageShape(fixture.integer("input_channels"), side, side),
        fixture.integer("classes"), null);
  }

  private static void train(Fixture fixture, NativeContext context, DeviceNetwork network, Comparison comparison) {
    int batch = fixture.integer("batch");
    float[] globalLoss = fixture.tensor("global_loss").toFloats();
    float[] blockLosses = fixture.contents().tensors().containsKey("block_losses") ? fixture.tensor("block_losses").toFloats() : null;
    double globalTolerance = fixture.flag("backprop") ? BACKPROP_LOSS_TOLERANCE : GLOBAL_LOSS_TOLERANCE;
    List<LayerSpec> layers = network.measuredLayers();
    try (NativeDataSet images = images(fixture, context, "train")) {
      for (int step = 0; step < fixture.integer("steps"); step++) {
        context.setStep(step, fixture.number("lr"));
        int[] indices = IntStream.range(step * batch, (step + 1) * batch).toArray();
        images.choose(indices, 0, batch);
        try (NativeDataSet.Batch loaded = images.batch(null)) {
          network.trainStep(loaded.images(), loaded.labels());
        }
        List<BlockMetrics> metrics = network.readMetrics();
        for (int i = 0; i < layers.size() - 1 && !network.config().losses().backprop(); i++) {
          String name = "block_losses." + layers.get(i).name() + ".step" + step;
          int at = (step * (layers.size() - 1) + i) * 2;
          comparison.loss(
              name + ".similarity", metrics.get(i).meanSimilarityLoss(), blockLosses[at], blockLosses[2 * i],
              BLOCK_LOSS_TOLERANCE);
          comparison.loss(
              name + ".prediction", metrics.get(i).meanPredictionLoss(), blockLosses[at + 1], blockLosses[2 * i + 1],
              BLOCK_LOSS_TOLERANCE);
        }
        comparison.loss(
            "global_loss.step" + step, metrics.get(layers.size() - 1).meanPredictionLoss(), globalLoss[step], globalLoss[0],
            globalTolerance);
      }
    }
  }

  private static float[] testLogits(Fixture fixture, NativeContext context, DeviceNetwork network) {
    int count = (int) fixture.tensor("test.images").shape()[0];
    try (NativeDataSet images = images(fixture, context, "test")) {
      images.choose(IntStream.range(0, count).toArray(), 0, count);
      try (NativeDataSet.Batch batch = images.batch(null);
          NativeTensor logits = network.evaluate(batch.images(), null)) {
        return logits.read();
      }
    }
  }

  private static NativeDataSet images(Fixture fixture, NativeContext context, String part) {
    HostTensor pixels = fixture.tensor(part + ".images");
    byte[] labelBytes = fixture.tensor(part + ".labels").toBytes();
    int[] labels = IntStream.range(0, labelBytes.length).map(i -> Byte.toUnsignedInt(labelBytes[i])).toArray();
    int side = fixture.integer("input_dim");
    int channels = fixture.integer("input_channels");
    float[] mean = new float[channels]; // the files give all channels the same
    float[] deviation = new float[channels];
    Arrays.fill(mean, (float) fixture.number("normalize_mean"));
    Arrays.fill(deviation, (float) fixture.number("normalize_std"));
    return context.dataSet(
        pixels.toBytes(), labels, (int) pixels.shape()[0], channels, side, side, fixture.integer("classes"), mean,
        deviation);
  }

  private static float[] required(Map<String, TensorSource> trained, String name) {
    TensorSource tensor = trained.get(name);
    if (tensor == null) {
      throw new FileException("its tensor 'final." + name + "' is none of this network's");
    }
    return HostTensor.copyOf(tensor).toFloats();
  }
}
