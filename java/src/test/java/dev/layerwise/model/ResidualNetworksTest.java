package dev.layerwise.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.TestConfigs;
import dev.layerwise.model.LayerSpec.Kind;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.Settings;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Residual networks for CIFAR's images. */
class ResidualNetworksTest {
  private static List<LayerSpec> layers(String model, double featMult, boolean preAct) {
    return Networks.layers(
        TestConfigs.model(
            Settings.partial(Architecture.class, "model", model, "feat_mult", featMult, "pre_act", preAct), 3, 32));
  }

  private static LayerSpec named(List<LayerSpec> layers, String name) {
    return layers.stream().filter(layer -> layer.name().equals(name)).findFirst().orElseThrow();
  }

  private static String source(List<LayerSpec> layers, Integer position) {
    return position == null ? null : layers.get(position).name();
  }

  @ParameterizedTest
  @CsvSource({"false, CONVOLUTION", "true, PREACTIVATION"})
  void resnet18(boolean preAct, Kind kind) {
    List<LayerSpec> layers = layers("resnet18", 1, preAct);
    assertThat(layers)
        .extracting(LayerSpec::name)
        .containsExactly(
            "conv1", "layer1.0.conv1", "layer1.0.conv2", "layer1.1.conv1", "layer1.1.conv2", "layer2.0.conv1",
            "layer2.0.shortcut", "layer2.0.conv2", "layer2.1.conv1", "layer2.1.conv2", "layer3.0.conv1",
            "layer3.0.shortcut", "layer3.0.conv2", "layer3.1.conv1", "layer3.1.conv2", "layer4.0.conv1",
            "layer4.0.shortcut", "layer4.0.conv2", "layer4.1.conv1", "layer4.1.conv2", "pool", "linear");
    assertThat(layers.stream().filter(layer -> layer.kind() == kind)).hasSize(17);
    assertThat(layers.stream().filter(layer -> layer.kind() == kind))
        .allSatisfy(
            layer -> {
              assertThat(layer.block().bias()).isFalse();
              assertThat(layer.kernel()).isEqualTo(3);
            });
    LayerSpec first = named(layers, "layer2.0.conv1");
    assertThat(List.of(first.inChannels(), first.outChannels(), first.stride(), first.outHeight()))
        .containsExactly(64, 128, 2, 16);
    LayerSpec projection = named(layers, "layer2.0.shortcut");
    assertThat(source(layers, projection.input())).isEqualTo("layer1.1.conv2");
    assertThat(List.of(projection.kernel(), projection.stride(), projection.padding())).containsExactly(1, 2, 0);
    assertThat(projection.block().batchNorm()).isTrue();
    assertThat(projection.block().bias()).isFalse();
    assertThat(source(layers, named(layers, "layer2.0.conv2").shortcut())).isEqualTo("layer2.0.shortcut");
    assertThat(source(layers, named(layers, "layer2.0.conv2").input())).isEqualTo("layer2.0.conv1");
    assertThat(source(layers, named(layers, "layer2.1.conv2").shortcut())).isEqualTo("layer2.0.conv2");
    assertThat(source(layers, named(layers, "layer1.0.conv2").shortcut())).isEqualTo("conv1");
    LayerSpec pool = named(layers, "pool");
    assertThat(List.of(pool.inChannels(), pool.inHeight(), pool.outHeight())).containsExactly(512, 4, 1);
    assertThat(pool.block().batchNorm()).isFalse();
    assertThat(pool.block().relu()).isFalse();
    assertThat(layers.get(0).block().normalizeInput()).isEqualTo(preAct ? Boolean.FALSE : null);
    assertThat(named(layers, "linear").inChannels()).isEqualTo(512);
  }

  @ParameterizedTest
  @CsvSource({"false, CONVOLUTION", "true, PREACTIVATION"})
  void resnet50(boolean preAct, Kind kind) {
    List<LayerSpec> layers = layers("resnet50", 0.3, preAct); // 64 · 0.3 = 19.2
    assertThat(layers.stream().filter(layer -> layer.kind() == kind)).hasSize(49);
    assertThat(layers.stream().filter(layer -> layer.kind() == Kind.SHORTCUT))
        .extracting(LayerSpec::name)
        .containsExactly("layer1.0.shortcut", "layer2.0.shortcut", "layer3.0.shortcut", "layer4.0.shortcut");
    assertThat(layers.get(0).outChannels()).isEqualTo(19);
    assertThat(named(layers, "layer1.0.shortcut").outChannels()).isEqualTo(76);
    assertThat(named(layers, "layer1.0.shortcut").stride()).isEqualTo(1);
    LayerSpec middle = named(layers, "layer4.0.conv2");
    assertThat(List.of(middle.inChannels(), middle.kernel(), middle.stride(), middle.outHeight()))
        .containsExactly(153, 3, 2, 4);
    LayerSpec last = named(layers, "layer4.2.conv3");
    assertThat(List.of(last.kernel(), last.padding(), last.outChannels())).containsExactly(1, 0, 612);
    assertThat(source(layers, last.shortcut())).isEqualTo("layer4.1.conv3");
    assertThat(named(layers, "linear").inChannels()).isEqualTo(612);
  }

  @ParameterizedTest
  @CsvSource({"resnet18, 17", "resnet34, 33", "resnet50, 49", "resnet101, 100", "resnet152, 151", "wresnet10-8, 7",
    "wresnet16-4, 13", "wresnet16-8, 13", "wresnet28-10, 25", "wresnet40-10, 37", "wresnet28-10-adapted, 25"})
  void everyOneHasItsConvolutions(String model, long count) {
    assertThat(layers(model, 1, false).stream().filter(layer -> layer.hasLoss())).hasSize((int) count + 1);
  }

  @ParameterizedTest
  @CsvSource({"wresnet16-4, 16, true", "wresnet16-4-adapted, 64, false"})
  void wresnet16(String model, int firstChannels, boolean plain) {
    List<LayerSpec> layers = layers(model, 1, false);
    assertThat(layers.get(0).outChannels()).isEqualTo(firstChannels);
    assertThat(layers.get(0).block().normalizeInput()).isFalse();
    assertThat(layers.stream().filter(layer -> layer.kind() == Kind.PREACTIVATION))
        .allSatisfy(
            layer -> {
              assertThat(layer.block().bias()).isTrue();
              assertThat(layer.block().dropout()).isEqualTo(!plain);
              assertThat(layer.block().inputDropout()).isEqualTo(plain && layer.name().endsWith("conv2"));
            });
    LayerSpec strided = named(layers, "layer3.0.conv2");
    assertThat(List.of(strided.inChannels(), strided.outChannels(), strided.stride(), strided.outHeight()))
        .containsExactly(256, 256, 2, 8);
    assertThat(named(layers, "layer3.0.conv1").stride()).isEqualTo(1);
    LayerSpec projection = named(layers, "layer2.0.shortcut");
    assertThat(projection.block().batchNorm()).isFalse();
    assertThat(projection.block().bias()).isTrue();
    assertThat(layers.stream().filter(layer -> layer.kind() == Kind.SHORTCUT)).hasSize(plain ? 3 : 2);
    LayerSpec head = named(layers, "bn1");
    assertThat(head.block().batchNorm()).isTrue();
    assertThat(head.block().relu()).isTrue();
    assertThat(head.block().normMomentum()).isEqualTo(0.9);
    assertThat(head.maxPool()).isEqualTo(!plain);
    assertThat(head.block().averagePool()).isEqualTo(plain ? 8 : 1);
    LayerSpec output = named(layers, "linear");
    assertThat(List.of(output.inChannels(), output.inHeight())).containsExactly(256, plain ? 1 : 4);
  }

  @Test
  void aWideResNetHasItsWidthInItsName() {
    assertThatThrownBy(() -> layers("wresnet28-10", 2, false))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("the width of wresnet28-10 is in its name");
  }
}
