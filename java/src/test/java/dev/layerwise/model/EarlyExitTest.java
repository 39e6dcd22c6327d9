package dev.layerwise.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.NetworkDescriptions;
import dev.layerwise.TestConfigs;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeTensor;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Settings;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A pass as far as a block computes what that block needs, and nothing else. */
class EarlyExitTest {
  private static final float[] IMAGES = new float[3 * 64];

  static {
    for (int i = 0; i < IMAGES.length; i++) {
      IMAGES[i] = (i * 37 % 64) / 32f - 1;
    }
  }

  private static ModelConfig config(String description, String loss, boolean bio) throws JsonProcessingException {
    NetworkSpec own = new ObjectMapper().readValue(description, NetworkSpec.class);
    Losses losses =
        Settings.partial(
            Losses.class, "loss", loss, "backprop", loss == null, "bio", bio, "target_proj_size", bio ? 16 : null,
            "dim_in_decoder", 64);
    return TestConfigs.model(TestConfigs.named("own", 1), losses, 1, 8, own);
  }

  @ParameterizedTest
  @ValueSource(strings = {NetworkDescriptions.RESIDUAL, NetworkDescriptions.PREACTIVATION})
  void laterBlocksAreNotComputed(String description) throws JsonProcessingException {
    try (NativeContext context = NativeContext.create("cpu", 1, 1);
        DeviceNetwork network = new DeviceNetwork(context, config(description, "pred", false), Optimizer.STATELESS);
        NativeTensor images = context.tensor(IMAGES, 3, 1, 8, 8);
        NativeTensor labels = context.labels(new int[] {1, 2, 3})) {
      for (int position = 0; position < network.layers().size(); position++) {
        LayerSpec layer = network.layers().get(position);
        try (NativeTensor output = network.evaluate(position, images, labels)) {
          assertThat(output.read()).hasSize(3 * layer.outChannels() * layer.outHeight() * layer.outWidth());
        }
        List<LayerSpec> measured = network.measuredLayers();
        List<BlockMetrics> metrics = network.readMetrics();
        for (int i = 0; i < measured.size(); i++) {
          boolean before = network.layers().indexOf(measured.get(i)) <= position;
          // The second residual block's first convolution is no part of its shortcut.
          boolean beside = layer.name().equals("two.side") && measured.get(i).name().equals("two.conv1");
          assertThat(metrics.get(i).samples()).as("%s on the way to %s", measured.get(i).name(), layer.name())
              .isEqualTo(before && !beside ? 3 : 0);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {NetworkDescriptions.RESIDUAL, NetworkDescriptions.PREACTIVATION})
  void onePassGivesTheBitsOfAllClassifiers(String description) throws JsonProcessingException {
    try (NativeContext context = NativeContext.create("cpu", 1, 1);
        DeviceNetwork network = new DeviceNetwork(context, config(description, "predsim", false), Optimizer.STATELESS);
        NativeTensor images = context.tensor(IMAGES, 3, 1, 8, 8);
        NativeTensor labels = context.labels(new int[] {1, 2, 3})) {
      network.evaluate(images, labels).close();
      List<BlockMetrics> expected = network.readMetrics();
      List<float[]> logits = new ArrayList<>();
      network.classifyLayers(images, labels, logits::add);
      assertThat(network.readMetrics()).isEqualTo(expected);
      List<Integer> classifiers = network.classifiers();
      assertThat(logits).hasSameSizeAs(classifiers);
      for (int i = 0; i < logits.size(); i++) {
        try (NativeTensor alone = network.classify(classifiers.get(i), images)) {
          assertThat(logits.get(i)).isEqualTo(alone.read());
        }
      }
      network.classifyLayers(images, labels, first -> false);
      List<BlockMetrics> stopped = network.readMetrics();
      assertThat(stopped.get(0).samples()).isEqualTo(3);
      assertThat(stopped.subList(1, stopped.size())).allMatch(metrics -> metrics.samples() == 0);
    }
  }

  @Test
  void costsAreThoseOfTheWay() throws JsonProcessingException {
    try (NativeContext context = NativeContext.create("cpu", 1, 1);
        DeviceNetwork network =
            new DeviceNetwork(context, config(NetworkDescriptions.RESIDUAL, "predsim", false), Optimizer.STATELESS)) {
      long[] flops = LayerCosts.flopsUntilClassifiers(network);
      long expected = 0;
      int classifier = 0;
      for (int i = 0; i < network.layers().size(); i++) {
        LayerCosts costs = LayerCosts.of(network, i);
        expected += costs.flops() + costs.localClassifierFlops();
        if (network.hasClassifier(network.layers().get(i))) {
          assertThat(flops[classifier++]).isEqualTo(expected);
        }
      }
      assertThat(flops).hasSize(classifier);
      assertThat(LayerCosts.flops(network)).isPositive().isLessThan(expected);
    }
  }

  @Test
  void classifiesWhereThereIsAClassifier() throws JsonProcessingException {
    try (NativeContext context = NativeContext.create("cpu", 1, 1);
        DeviceNetwork network =
            new DeviceNetwork(
                context, config(NetworkDescriptions.RESIDUAL, "predsim", false), Optimizer.STATELESS);
        NativeTensor images = context.tensor(IMAGES, 3, 1, 8, 8)) {
      for (int position = 0; position < network.layers().size(); position++) {
        int at = position;
        if (network.hasClassifier(network.layers().get(at))) {
          try (NativeTensor logits = network.classify(at, images)) {
            assertThat(logits.read()).hasSize(30);
          }
        } else {
          assertThatThrownBy(() -> network.classify(at, images)).hasMessageContaining("has no classifier");
        }
      }
    }
    for (boolean bio : new boolean[] {false, true}) {
      ModelConfig config = config(NetworkDescriptions.RESIDUAL, bio ? "pred" : "sim", bio);
      try (NativeContext context = NativeContext.create("cpu", 1, 1);
          DeviceNetwork network = new DeviceNetwork(context, config, Optimizer.STATELESS);
          NativeTensor images = context.tensor(IMAGES, 3, 1, 8, 8)) {
        assertThatThrownBy(() -> network.classify(0, images)).hasMessageContaining("stem has no classifier");
      }
    }
  }
}
