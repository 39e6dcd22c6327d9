package dev.layerwise.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.TestConfigs;
import dev.layerwise.TestTensors;
import dev.layerwise.files.FileException;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.safetensors.ElementType;
import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.safetensors.Narrowed;
import dev.layerwise.safetensors.SafeTensors;
import dev.layerwise.settings.ImageShape;
import dev.layerwise.settings.Optimizer;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which tensors of a file a network takes, and as what. */
class WeightImportTest {
  @TempDir private Path folder;
  private NativeContext context;
  private DeviceNetwork network;
  /** A network's weights of another seed. */
  private Map<String, HostTensor> weights;

  @BeforeEach
  void build() {
    context = NativeContext.create(DeviceOptions.of("cpu", 1).withPrecision("f32"), 1);
    network = network(10);
    try (NativeContext other = NativeContext.create(DeviceOptions.of("cpu", 1).withPrecision("f32"), 2);
        DeviceNetwork source = new DeviceNetwork(other, network.config(), Optimizer.STATELESS)) {
      weights = TestTensors.copy(source.weights());
    }
  }

  private DeviceNetwork network(int classes) {
    ModelConfig config =
        TestConfigs.model(TestConfigs.mlp(2, 16), 1, 8).with(new ImageShape(1, 8, 8), classes);
    return new DeviceNetwork(context, config, Optimizer.STATELESS);
  }

  @AfterEach
  void close() {
    network.close();
    context.close();
  }

  private Path file(Map<String, HostTensor> tensors) {
    Path file = folder.resolve("w.safetensors");
    new SafeTensors(Map.of(), tensors).write(file);
    return file;
  }

  private Path renamed(UnaryOperator<String> names) {
    Map<String, HostTensor> tensors = new LinkedHashMap<>();
    weights.forEach((name, tensor) -> tensors.put(names.apply(name), tensor));
    return file(tensors);
  }

  private void assertNetworkHas(Map<String, HostTensor> expected) {
    Map<String, HostTensor> actual = TestTensors.copy(network.weights());
    assertThat(actual).containsOnlyKeys(expected.keySet());
    expected.forEach((name, tensor) -> assertThat(actual.get(name).toFloats()).as(name).isEqualTo(tensor.toFloats()));
  }

  @ParameterizedTest
  @EnumSource(names = {"F16", "BF16", "F64"})
  void otherTypesAreConverted(ElementType type) {
    Map<String, HostTensor> narrowed = new LinkedHashMap<>(weights);
    narrowed.replaceAll((name, tensor) -> type == ElementType.F64 ? doubles(tensor) : Narrowed.from(tensor, type));
    Map<String, HostTensor> expected = new LinkedHashMap<>(narrowed);
    expected.replaceAll((name, tensor) -> tensor.inFloat32());
    WeightImport.load(file(narrowed), network, false);
    assertNetworkHas(expected);
    float[] before = weights.get("layers.0.encoder.weight").toFloats();
    float[] after = expected.get("layers.0.encoder.weight").toFloats();
    for (int i = 0; i < before.length; i++) { // F64: of float32's own values nothing is lost
      double unit = type == ElementType.F16 ? 0x1p-10 : type == ElementType.BF16 ? 0x1p-7 : 0;
      assertThat(Math.abs(after[i] - before[i]) <= unit * Math.abs(before[i]) + (unit > 0 ? 0x1p-24 : 0)).isTrue();
    }
  }

  private static HostTensor doubles(HostTensor tensor) {
    float[] values = tensor.toFloats();
    double[] doubles = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      doubles[i] = values[i];
    }
    return HostTensor.of(tensor.shape(), doubles);
  }

  @ParameterizedTest
  @ValueSource(strings = {
    "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "module.module._orig_mod."})
  void prefixesOfWrappersArePassedOver(String prefix) {
    WeightImport.load(renamed(name -> prefix + name), network, false);
    assertNetworkHas(weights);
  }

  @Test
  void wrappedPartsToo() {
    weights.put("layers.0._orig_mod.bn.num_batches_tracked", HostTensor.of(new long[0], new long[] {46}));
    weights.put("n_averaged", HostTensor.of(new long[0], new long[] {3})); // of torch.optim.swa_utils.AveragedModel
    Path file = renamed(name -> name.replace("layers.0.", "module.layers.0._orig_mod."));
    weights.keySet().removeIf(name -> name.endsWith("num_batches_tracked") || name.equals("n_averaged"));
    WeightImport.load(file, network, false);
    assertNetworkHas(weights);
  }

  @Test
  void aCheckpointsOptimizerStateIsPassedOver() {
    Map<String, HostTensor> checkpoint = new LinkedHashMap<>(weights);
    checkpoint.put("optimizer.layers.0.exp_avg.encoder.weight", HostTensor.of(new long[] {2}, new float[2]));
    WeightImport.load(file(checkpoint), network, false);
    assertNetworkHas(weights);
  }

  @Test
  void twoTensorsForOneAreRefused() {
    Map<String, HostTensor> before = TestTensors.copy(network.weights());
    weights.put("module.layer_out.bias", HostTensor.of(new long[] {10}, new float[10]));
    Path file = file(weights);
    for (boolean partial : new boolean[] {false, true}) {
      assertThatThrownBy(() -> WeightImport.load(file, network, partial))
          .isInstanceOf(FileException.class)
          .hasMessage(
              file + " holds the weights of layer_out.bias twice, as layer_out.bias and as module.layer_out.bias; leave"
                  + " out one of them");
    }
    assertNetworkHas(before);
  }

  @Test
  void whatIsNotFiniteIsNamed() {
    Map<String, HostTensor> before = TestTensors.copy(network.weights());
    float[] values = new float[10];
    values[3] = Float.NaN;
    values[7] = Float.NEGATIVE_INFINITY;
    refused("2 of the 10 values of layer_out.bias are NaN or infinite", HostTensor.of(new long[] {10}, values));
    refused("1 of the 10 values of layer_out.bias are NaN or infinite",
        Narrowed.of(ElementType.F16, new long[] {10}, (short) 0x7c00, (short) 0, (short) 0, (short) 0, (short) 0,
            (short) 0, (short) 0, (short) 0, (short) 0, (short) 0));
    double[] large = new double[10];
    large[0] = 1e39;
    refused("1 of the 10 values of layer_out.bias are NaN or infinite in float32", HostTensor.of(new long[] {10}, large));
    assertNetworkHas(before);
  }

  private void refused(String message, HostTensor bias) {
    weights.put("layer_out.bias", bias);
    Path file = file(weights);
    for (boolean partial : new boolean[] {false, true}) {
      assertThatThrownBy(() -> WeightImport.load(file, network, partial))
          .isInstanceOf(FileException.class)
          .hasMessageStartingWith("the weights in " + file + " cannot be trained: " + message);
    }
  }

  @Test
  void whatFitsIsTakenWhereThatSuffices() {
    Map<String, HostTensor> before = TestTensors.copy(network.weights());
    Map<String, HostTensor> given = new LinkedHashMap<>(weights);
    given.remove("layers.1.bn.weight");
    given.put("layer_out.weight", HostTensor.of(new long[] {3, 16}, new float[48]));
    given.put("layer_out.bias", HostTensor.of(new long[] {10}, new int[10]));
    given.put("fc.bias", HostTensor.of(new long[] {1}, new float[] {Float.NaN})); // not taken, so no matter
    given.put("mask", Narrowed.of(ElementType.I16, new long[] {1}, (short) 1));
    Path file = file(given);
    assertThatThrownBy(() -> WeightImport.load(file, network, false))
        .isInstanceOf(FileException.class)
        .hasMessageContaining("the weights in " + file + " do not fit the network; missing: layers.1.bn.weight; ")
        .hasMessageContaining("not in the network: fc.bias, mask; ")
        .hasMessageContaining("layer_out.weight is F32 [3, 16] where the network has F32 [10, 16]")
        .hasMessageContaining("layer_out.bias is I32 [10] where the network has F32 [10]")
        .hasMessageNotContaining("--");
    assertNetworkHas(before);

    WeightImport taken = WeightImport.load(file, network, true);
    Map<String, HostTensor> expected = new LinkedHashMap<>(weights);
    for (String name : new String[] {"layers.1.bn.weight", "layer_out.weight", "layer_out.bias"}) {
      expected.put(name, before.get(name));
    }
    assertNetworkHas(expected);
    assertThat(taken.fitsInPart()).isTrue();
    assertThat(taken.fitsWhole()).isFalse();
    assertThat(taken.summary())
        .containsExactly(
            weights.size() - 3 + " of the network's " + weights.size() + " tensors come from " + file,
            "not in the file, left as in a new network: layers.1.bn.weight",
            "of another shape or type in the file, left as in a new network: layer_out.weight is F32 [3, 16] where the"
                + " network has F32 [10, 16], layer_out.bias is I32 [10] where the network has F32 [10]",
            "in the file, but not used: fc.bias, mask");
  }

  @Test
  void anotherNumberOfClasses() {
    try (DeviceNetwork three = network(3)) {
      Map<String, HostTensor> before = TestTensors.copy(three.weights());
      WeightImport.load(file(weights), three, true);
      Map<String, HostTensor> after = TestTensors.copy(three.weights());
      after.forEach((name, tensor) -> {
        boolean ofClasses = name.contains("layer_out") || name.contains("decoder_y");
        assertThat(tensor.toFloats()).as(name)
            .isEqualTo((ofClasses ? before : weights).get(name).toFloats());
      });
    }
  }

  @Test
  void somethingMustFit() {
    Path file = file(Map.of("fc.weight", HostTensor.of(new long[] {1}, new float[1])));
    for (boolean partial : new boolean[] {false, true}) {
      assertThatThrownBy(() -> WeightImport.load(file, network, partial))
          .isInstanceOf(FileException.class)
          .hasMessageStartingWith("nothing in " + file + " fits the network; missing: layers.0.")
          .hasMessageContaining("not in the network: fc.weight.");
    }
  }
}
