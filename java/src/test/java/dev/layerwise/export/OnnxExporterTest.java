package dev.layerwise.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.onnxruntime.OrtException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.NetworkDescriptions;
import dev.layerwise.TestConfigs;
import dev.layerwise.TestTensors;
import dev.layerwise.api.Device;
import dev.layerwise.api.Layer;
import dev.layerwise.api.Model;
import dev.layerwise.api.Precision;
import dev.layerwise.data.DataSet;
import dev.layerwise.data.DataSets;
import dev.layerwise.data.ImageSet;
import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.model.InputDescription;
import dev.layerwise.model.LayerSpec;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.ModelFile;
import dev.layerwise.model.NetworkSpec;
import dev.layerwise.model.Networks;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeDataSet;
import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.safetensors.TensorSource;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import onnx.Onnx.ModelProto;
import onnx.Onnx.TensorProto;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** ONNX Runtime computes from an exported file what Layerwise computes from the model. */
class OnnxExporterTest {
  /**
   * The bound that was asked for, on logits of a few units. Both sides compute in float32, whose roundings come to some
   * 1e-6 of the largest logit after as many layers and terms as there are here.
   */
  private static final double TOLERANCE = 1e-4;

  /** A 7×7 map, which the local classifier's pooling does not divide. */
  private static final String UNEVEN =
      """
      {"blocks": [
        {"name": "stem", "kind": "conv", "channels": 8, "kernel": 2, "padding": 0},
        {"name": "side", "kind": "shortcut", "channels": 12, "kernel": 3, "stride": 2},
        {"name": "main", "kind": "conv", "channels": 12, "stride": 2, "shortcut": "side", "bias": false,
         "input": "stem"},
        {"name": "units", "kind": "linear", "units": 20},
        {"name": "back", "kind": "conv", "channels": 6, "kernel": 1},
        {"name": "classes", "kind": "output"}
      ]}
      """;

  private static final Device FLOAT32 = Device.of("cpu", 2).with(Precision.FLOAT32);

  @TempDir private Path folder;

  private static ModelConfig config(String model, double width, boolean preAct, NetworkSpec own, String loss,
      int limit, boolean batchNorm, int channels, int size) {
    return TestConfigs.model(
        Settings.partial(
            Architecture.class, "model", model, "feat_mult", width, "num_layers", 1, "num_hidden", 16, "pre_act", preAct,
            "nonlin", "leakyrelu", "dropout", 0.1, "batch_norm", batchNorm),
        Settings.partial(Losses.class, "loss", loss, "backprop", loss == null, "dim_in_decoder", limit),
        channels, size, own);
  }

  /** Trains a few steps on the digits and writes the model. */
  private Path trained(ModelConfig config) {
    DataSet<ImageSet> digits = DataSets.load("digits", null);
    try (NativeContext context = NativeContext.create("cpu", 2, 3);
        DeviceNetwork network = new DeviceNetwork(context, config, Optimizer.DEFAULT)) {
      ImageSet train = digits.train();
      try (NativeDataSet images =
          context.dataSet(
              train.pixels(), train.labels(), train.count(), 1, 8, 8, 10, digits.info().mean(),
              digits.info().deviation())) {
        int[] order = IntStream.range(0, 1408).toArray();
        for (int step = 0; step < 22; step++) {
          context.setStep(step, 2e-3);
          images.choose(order, step * 64, 64);
          try (NativeDataSet.Batch batch = images.batch(null)) {
            network.trainStep(batch.images(), batch.labels());
          }
        }
      }
      return write(config, TestTensors.copy(network.weights()), digits.info().mean(), digits.info().deviation());
    }
  }

  /** A network that no step has trained, with statistics and zero weights made up. */
  private Path random(ModelConfig config) {
    Map<String, HostTensor> weights = new LinkedHashMap<>();
    Random random = new Random(5);
    try (NativeContext context = NativeContext.create("cpu", 2, 3);
        DeviceNetwork network = new DeviceNetwork(context, config, Optimizer.STATELESS)) {
      TestTensors.copy(network.weights()).forEach((name, tensor) -> {
        float[] values = tensor.toFloats();
        boolean zero = IntStream.range(0, values.length).allMatch(i -> values[i] == 0);
        for (int i = 0; i < values.length; i++) {
          if (name.endsWith("running_var")) {
            values[i] = 0.5f + random.nextFloat();
          } else if (zero) {
            values[i] = 0.1f * (float) random.nextGaussian();
          }
        }
        weights.put(name, HostTensor.of(tensor.shape(), values));
      });
    }
    return write(config, weights, new float[] {0.4f, 0.5f, 0.6f}, new float[] {0.2f, 0.3f, 0.4f});
  }

  private Path write(ModelConfig config, Map<String, HostTensor> weights, float[] mean, float[] deviation) {
    List<String> names = IntStream.range(0, 10).mapToObj(Integer::toString).toList();
    Path file = folder.resolve("model.safetensors");
    InputDescription input = new InputDescription(names, mean, deviation, config.images().height());
    new ModelFile(config, "digits", input, "f32", weights, null).write(file);
    return file;
  }

  private void agrees(Path path, byte[] pixels, int count, boolean localClassifiers) throws OrtException, IOException {
    Path onnx = folder.resolve("model.onnx");
    ModelFile file = ModelFile.read(path);
    List<String> names = OnnxExporter.write(file, path.toString(), null, localClassifiers, onnx);
    int size = file.config().images().height();
    try (OnnxModel exported = new OnnxModel(onnx);
        Model model = Model.open(path, new Model.Options(FLOAT32, 1))) {
      InputDescription input =
          new ObjectMapper().readValue(exported.metadata().get("layerwise.input"), InputDescription.class);
      assertThat(input.mean()).isEqualTo(file.input().mean());
      Map<String, float[][]> outputs = exported.run(pixels, count, input, size, size);
      assertThat(outputs.keySet()).containsExactlyElementsOf(names);
      int compared = 0;
      for (Layer layer : model.layers()) {
        boolean last = layer.kind().equals("output");
        if (last || (localClassifiers && layer.classifies())) {
          float[][] theirs = outputs.get(last ? "logits" : layer.name() + ".local_logits");
          compare(layer.name(), theirs, model.classify(pixels, count, layer.name()));
          compared++;
        }
      }
      assertThat(compared).isEqualTo(names.size());
      // Any batch size.
      byte[] first = Arrays.copyOf(pixels, pixels.length / count);
      float[][] single = exported.run(first, 1, input, size, size).get("logits");
      compare("one image", single, new float[][] {outputs.get("logits")[0]});
    }
  }

  /** A network that is cut behind each of its layers in turn, asked for by number and by name. */
  private void cutNetworksAgree(Path path, byte[] pixels, int count) throws OrtException, IOException {
    ModelFile file = ModelFile.read(path);
    int size = file.config().images().height();
    try (Model model = Model.open(path, new Model.Options(FLOAT32, 1))) {
      List<Layer> classifying = model.layers().stream().filter(Layer::classifies).toList();
      for (int i = 0; i < classifying.size(); i++) {
        Layer layer = classifying.get(i);
        Path onnx = folder.resolve("cut.onnx");
        String asked = layer.number() > 0 && i % 2 == 0 ? Integer.toString(layer.number()) : layer.name();
        List<String> names = OnnxExporter.write(file, path.toString(), asked, true, onnx);
        List<String> earlier = classifying.subList(0, i).stream().map(of -> of.name() + ".local_logits").toList();
        assertThat(names.get(0)).isEqualTo("logits");
        assertThat(names.subList(1, names.size())).isEqualTo(earlier);
        try (OnnxModel exported = new OnnxModel(onnx)) {
          boolean isOutput = i == classifying.size() - 1;
          assertThat(exported.metadata().get("layerwise.layer")).isEqualTo(isOutput ? null : layer.name());
          Map<String, float[][]> outputs = exported.run(pixels, count, file.input(), size, size);
          assertThat(outputs.keySet()).containsExactlyElementsOf(names);
          compare("cut at " + layer.name(), outputs.get("logits"), model.classify(pixels, count, layer.name()));
        }
        assertThat(OnnxExporter.write(file, path.toString(), asked, false, onnx)).containsExactly("logits");
        holdsOnlyTheWayTo(layer, model.layers().indexOf(layer), file.config(), onnx);
      }
    }
  }

  /** No weights of blocks that the layer does not need, nor of other local classifiers. */
  private static void holdsOnlyTheWayTo(Layer layer, int position, ModelConfig config, Path onnx) throws IOException {
    List<LayerSpec> layers = Networks.layers(config);
    boolean[] needed = Networks.needed(layers, position);
    List<String> way =
        IntStream.range(0, layers.size()).filter(i -> needed[i]).mapToObj(i -> layers.get(i).name() + ".").toList();
    List<String> weights =
        ModelProto.parseFrom(Files.readAllBytes(onnx)).getGraph().getInitializerList().stream()
            .map(TensorProto::getName).filter(name -> !name.contains(".map_of.")).toList();
    assertThat(weights).isNotEmpty().allMatch(name -> way.stream().anyMatch(name::startsWith));
    assertThat(weights.stream().filter(name -> name.contains("decoder_y")))
        .allMatch(name -> name.startsWith(layer.name() + "."));
  }

  private static void compare(String what, float[][] theirs, float[][] ours) {
    double largest = 0;
    for (int i = 0; i < ours.length; i++) {
      for (int k = 0; k < ours[i].length; k++) {
        largest = Math.max(largest, Math.abs(ours[i][k]));
        double error = Math.abs(theirs[i][k] - ours[i][k]);
        assertThat(error <= TOLERANCE)
            .as("%s: image %d, class %d: %s against %s", what, i, k, theirs[i][k], ours[i][k])
            .isTrue();
      }
    }
    assertThat(largest).as(what + " says something").isGreaterThan(0.01);
  }

  private static NetworkSpec own(String name) throws IOException {
    return switch (name) {
      case "uneven" -> new ObjectMapper().readValue(UNEVEN, NetworkSpec.class);
      case "residual" -> new ObjectMapper().readValue(NetworkDescriptions.RESIDUAL, NetworkSpec.class);
      case "preactivation" -> new ObjectMapper().readValue(NetworkDescriptions.PREACTIVATION, NetworkSpec.class);
      default -> null;
    };
  }

  @ParameterizedTest
  @CsvSource({
    "mlp, 1, predsim, 4096, true", "mlp, 1, , 4096, false", "vgg6a, 0.125, predsim, 4096, true",
    "vgg6a, 0.125, pred, 100, false", "uneven, 1, pred, 100, true", "residual, 1, predsim, 64, true",
    "preactivation, 1, pred, 200, true",
  })
  void onRealImages(String model, double width, String loss, int limit, boolean batchNorm) throws Exception {
    Path path = trained(config(model, width, false, own(model), loss, limit, batchNorm, 1, 8));
    ImageSet test = DataSets.load("digits", null).test();
    agrees(path, test.pixels(0, test.count()), test.count(), false);
    if (loss != null) {
      agrees(path, test.pixels(0, test.count()), test.count(), true);
      cutNetworksAgree(path, test.pixels(0, 40), 40);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "resnet18, 0.125, false", "resnet18, 0.125, true", "resnet50, 0.0625, false", "resnet50, 0.0625, true",
    "wresnet10-8-adapted, 1, false", "wresnet16-4, 1, false", "vgg8b, 0.125, false", "vgg11b, 0.125, false",
  })
  void publishedNetworksOfColourImages(String model, double width, boolean preAct) throws Exception {
    Path path = random(config(model, width, preAct, null, "predsim", 500, true, 3, 32));
    byte[] pixels = new byte[4 * 3 * 32 * 32];
    new Random(7).nextBytes(pixels);
    agrees(path, pixels, 4, true);
  }

  @ParameterizedTest
  @ValueSource(strings = {"sim", ""})
  void networksWithoutLocalClassifiersSaySo(String loss) {
    Path path = trained(config("mlp", 1, false, null, loss.isEmpty() ? null : loss, 4096, true, 1, 8));
    Path onnx = folder.resolve("none.onnx");
    assertThatThrownBy(() -> OnnxExporter.write(ModelFile.read(path), path.toString(), null, true, onnx))
        .hasMessageContaining("has no local classifiers");
    assertThat(onnx).doesNotExist();
    assertThat(OnnxExporter.write(ModelFile.read(path), path.toString(), null, false, onnx)).containsExactly("logits");
  }

  @Test
  void networksAreCutOnlyWhereSomethingClassifies() {
    Path path = trained(config("vgg6a", 0.125, false, null, "sim", 4096, true, 1, 8));
    Path onnx = folder.resolve("none.onnx");
    assertThatThrownBy(() -> OnnxExporter.write(ModelFile.read(path), path.toString(), "2", false, onnx))
        .hasMessageContaining("has no classifier to predict with");
    assertThatThrownBy(() -> OnnxExporter.write(ModelFile.read(path), path.toString(), "9", false, onnx))
        .hasMessageContaining("the model has no layer '9'; it has 1 features.0");
    assertThat(onnx).doesNotExist();
  }

  @Test
  void weightsThatDoNotFitAreRefused() {
    Path path = trained(config("mlp", 1, false, null, "pred", 4096, true, 1, 8));
    try (ModelFile file = ModelFile.read(path)) {
      Map<String, TensorSource> weights = new LinkedHashMap<>(file.weights());
      weights.put("layer_out.bias", HostTensor.of(new long[] {3}, new float[3]));
      ModelFile damaged = new ModelFile(file.config(), file.dataset(), file.input(), file.precision(), weights, null);
      assertThatThrownBy(() -> OnnxExporter.write(damaged, path.toString(), null, false, folder.resolve("none.onnx")))
          .hasMessageContaining("layer_out.bias");
    }
  }
}
