package dev.layerwise.nativelib;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.layerwise.nativelib.generated.LayerwiseApi.BlockKind;
import dev.layerwise.nativelib.generated.LayerwiseApi.TensorRole;
import java.util.Map;
import java.util.stream.IntStream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What crosses the boundary: values, shapes, names and failures, on each device. */
class NativeBlockTest {
  private static final int CLASSES = 3;
  private static final int BATCH = 6;

  private NativeContext context;

  @AfterEach
  void close() {
    if (context != null) {
      context.close();
    }
  }

  private NativeContext open(String device) {
    // What is compared below is compared to float32 rounding.
    context = NativeContext.create(DeviceOptions.of(device, 1).withPrecision(device.equals("cpu") ? "f32" : "auto"), 7);
    context.setStep(0, 0.01);
    return context;
  }

  private static BlockConfig convolution() {
    return new BlockConfig("features.0", BlockKind.LAYERWISE_CONVOLUTION)
        .shapes(2, 4, 4, 8).losses(Map.of("classes", CLASSES));
  }

  private NativeTensor images() {
    float[] values = new float[BATCH * 2 * 4 * 4];
    IntStream.range(0, values.length).forEach(i -> values[i] = (float) Math.sin(i));
    return context.tensor(values, BATCH, 2, 4, 4);
  }

  private NativeTensor labels() {
    return context.labels(new int[] {0, 1, 2, 0, 1, 2});
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu"})
  void valuesComeBackInTheOrderInWhichTheyWent(String device) {
    open(device);
    float[] values = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    try (NativeTensor tensor = context.tensor(values, 1, 3, 2, 2)) {
      assertThat(tensor.shape()).containsExactly(1, 3, 2, 2);
      assertThat(tensor.read()).containsExactly(values);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu"})
  void aTrainingStepChangesParametersAndCountsSamples(String device) {
    open(device);
    BlockConfig config = convolution();
    config.fields().max_pool(1);
    try (NativeBlock block = context.block(config);
        NativeTensor x = images();
        NativeTensor labels = labels()) {
      float[] before = block.read("encoder.weight");
      try (NativeTensor output = block.trainStep(x, labels, null)) {
        assertThat(output.shape()).containsExactly(BATCH, 8, 2, 2);
      }
      assertThat(block.read("encoder.weight")).hasSize(8 * 2 * 3 * 3).isNotEqualTo(before);
      BlockMetrics metrics = block.metrics();
      assertThat(metrics.samples()).isEqualTo(BATCH);
      assertThat(metrics.similarityLoss()).isPositive();
      assertThat(metrics.predictionLoss()).isPositive();
      assertThat(block.metrics().samples()).isZero();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu"})
  void whatABlockHoldsCanBeReadAndWritten(String device) {
    open(device);
    try (NativeBlock block = context.block(convolution())) {
      assertThat(block.tensors())
          .contains(
              new TensorInfo("encoder.weight", TensorRole.LAYERWISE_PARAMETER, new long[] {8, 2, 3, 3}),
              new TensorInfo("bn.running_mean", TensorRole.LAYERWISE_BUFFER, new long[] {8}),
              new TensorInfo("exp_avg.encoder.weight", TensorRole.LAYERWISE_OPTIMIZER_STATE, new long[] {8, 2, 3, 3}));
      float[] weights = new float[8 * 2 * 3 * 3];
      IntStream.range(0, weights.length).forEach(i -> weights[i] = i);
      block.write("encoder.weight", weights);
      assertThat(block.read("encoder.weight")).containsExactly(weights);
      assertThatExceptionOfType(InvalidArgumentException.class)
          .isThrownBy(() -> block.write("encoder.weight", new float[3]))
          .withMessageContainingAll("features.0", "encoder.weight", "144", "3");
      assertThatExceptionOfType(InvalidArgumentException.class)
          .isThrownBy(() -> block.read("decoder.weight"))
          .withMessageContainingAll("features.0", "decoder.weight");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu"})
  void anInspectionLeavesTheParametersAlone(String device) {
    open(device);
    try (NativeBlock block = context.block(convolution());
        NativeTensor x = images();
        NativeTensor labels = labels()) {
      float[] before = block.read("encoder.weight");
      block.inspect(x, labels, null);
      assertThat(block.inspection("h")).hasSize(BATCH * 8 * 4 * 4);
      assertThat(block.inspection("grad.encoder.weight")).hasSameSizeAs(before);
      assertThat(block.inspection("grad.shortcut")).isNull();
      assertThat(block.read("encoder.weight")).containsExactly(before);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu"})
  void backpropagationRunsFromTheOutputLayerToTheFirstBlock(String device) {
    open(device);
    BlockConfig output =
        new BlockConfig("layer_out", BlockKind.LAYERWISE_OUTPUT).shapes(8, 4, 4, CLASSES);
    output.fields().index(1).zero_start(0);
    try (NativeBlock block = context.block(convolution().losses(Map.of("loss", "none")));
        NativeBlock last = context.block(output);
        NativeTensor x = images();
        NativeTensor labels = labels();
        NativeTensor h = block.forward(x, null, null);
        NativeTensor gradient = last.outputTrainStep(h, labels)) {
      assertThat(gradient.shape()).isEqualTo(h.shape());
      assertThat(block.backward(gradient, false, false).dInput()).isNull();
      assertThatExceptionOfType(InvalidStateException.class)
          .isThrownBy(() -> block.backward(gradient, false, false))
          .withMessageStartingWith("features.0: ");
      block.forward(x, null, null).close();
      try (NativeTensor below = block.backward(gradient, true, false).dInput()) {
        assertThat(below.shape()).isEqualTo(x.shape());
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu"})
  void aMisfittingShapeIsNamedWithItsBlock(String device) {
    open(device);
    try (NativeBlock block = context.block(convolution());
        NativeTensor wrong = context.tensor(new float[BATCH * 3 * 4 * 4], BATCH, 3, 4, 4);
        NativeTensor x = images();
        NativeTensor tooFew = context.labels(new int[] {0, 1});
        NativeTensor labels = labels()) {
      assertThatExceptionOfType(InvalidArgumentException.class)
          .isThrownBy(() -> block.trainStep(wrong, labels, null))
          .withMessageStartingWith("features.0: ")
          .withMessageContaining("3×4×4")
          .withMessageContaining("2×4×4");
      assertThatExceptionOfType(InvalidArgumentException.class)
          .isThrownBy(() -> block.trainStep(x, tooFew, null))
          .withMessageStartingWith("features.0: ");
      assertThatExceptionOfType(InvalidArgumentException.class)
          .isThrownBy(() -> block.trainStep(null, labels, null))
          .withMessageStartingWith("features.0: ");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu"})
  void lookingAtMetricsChangesNothing(String device) {
    open(device);
    try (NativeBlock block = context.block(convolution());
        NativeTensor x = images();
        NativeTensor labels = labels()) {
      block.evaluate(x, labels, null).close();
      block.evaluate(x, labels, null).close();
      BlockMetrics withoutLooking = block.metrics();
      block.evaluate(x, labels, null).close();
      assertThat(block.metricsSoFar().samples()).isEqualTo(BATCH);
      block.evaluate(x, labels, null).close();
      assertThat(block.metricsSoFar()).isEqualTo(withoutLooking);
      assertThat(block.metrics()).isEqualTo(withoutLooking);
      assertThat(block.metricsSoFar().samples()).isZero();
    }
  }

  @Test
  void aConfigThatCannotWorkIsNamedWithItsBlock() {
    open("reference");
    BlockConfig config = convolution();
    config.fields().dropout(1.5);
    assertThatExceptionOfType(InvalidArgumentException.class)
        .isThrownBy(() -> context.block(config))
        .withMessageStartingWith("features.0: ")
        .withMessageContaining("1.5");
  }

  @Test
  void lengthsMustMatchDimensions() {
    open("reference");
    assertThatExceptionOfType(InvalidArgumentException.class)
        .isThrownBy(() -> context.tensor(new float[5], 1, 2, 3, 1))
        .withMessage("there are 5 values where the dimensions ask for 1×2×3×1");
    assertThatExceptionOfType(InvalidArgumentException.class)
        .isThrownBy(() -> context.tensor(new float[0], 65536, 65536, 65536, 65536));
    assertThatExceptionOfType(InvalidArgumentException.class)
        .isThrownBy(() -> context.dataSet(new byte[8], new int[1], 2, 1, 2, 2, 10, new float[1], new float[1]))
        .withMessageContaining("1 labels");
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu"})
  void aDataSetGivesNormalizedBatches(String device) {
    open(device);
    byte[] pixels = {0, (byte) 255, 51, 102};
    try (NativeDataSet dataSet =
            context.dataSet(pixels, new int[] {4, 2}, 2, 1, 1, 2, 5, new float[] {0.5f}, new float[] {0.25f})) {
      assertThatExceptionOfType(InvalidStateException.class).isThrownBy(() -> dataSet.batch(null));
      dataSet.choose(new int[] {9, 1, 0}, 1, 2);
      try (NativeDataSet.Batch batch = dataSet.batch(null)) {
        // (byte / 255 − 0.5) / 0.25: 51/255 = 0.2, 102/255 = 0.4; float32 rounding of values up to 2
        assertThat(batch.images().read()).containsExactly(new float[] {-1.2f, -0.4f, -2, 2}, within());
        assertThat(batch.labels().read()).containsExactly(2, 4);
      }
      assertThatExceptionOfType(InvalidArgumentException.class)
          .isThrownBy(() -> dataSet.choose(new int[] {9, 1, 0}, 0, 2))
          .withMessageContaining("9");
      assertThatExceptionOfType(InvalidArgumentException.class)
          .isThrownBy(() -> dataSet.choose(new int[] {0, 1}, 1, 2));
    }
  }

  private static Offset<Float> within() {
    return Offset.offset(1e-6f);
  }
}
