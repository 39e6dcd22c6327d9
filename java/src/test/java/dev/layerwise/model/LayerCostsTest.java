package dev.layerwise.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.ImageShape;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Settings;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LayerCostsTest {
  @ParameterizedTest
  @CsvSource({
    "mlp, true, false, false", "vgg6a, true, false, false", "vgg8b, false, false, false", "resnet18, true, false, true",
    "resnet50, true, true, false", "resnet18, true, true, true", "wresnet10-8, true, false, true",
    "wresnet10-8-adapted, true, false, false",
  })
  void parametersArePlannedAsTheyAreOnADevice(String name, boolean batchNorm, boolean preActivation, boolean backprop) {
    boolean narrow = name.startsWith("vgg") || name.startsWith("resnet");
    Architecture architecture =
        Settings.with(
            Architecture.DEFAULT, "model", name, "batch_norm", batchNorm, "pre_act", preActivation ? true : null,
            "feat_mult", narrow ? 0.0625 : 1.0, "num_hidden", 16);
    ModelConfig config =
        new ModelConfig(
            architecture, Settings.partial(Losses.class, "backprop", backprop ? true : null).over(Losses.DEFAULT), new ImageShape(3, 32, 32), 10, null);
    try (NativeContext context = NativeContext.create("cpu", 1, 1);
        DeviceNetwork network = new DeviceNetwork(context, config, Optimizer.STATELESS)) {
      for (int i = 0; i < network.layers().size(); i++) {
        LayerSpec layer = network.layers().get(i);
        assertThat(LayerCosts.parameters(layer, config)).as(layer.name()).isEqualTo(LayerCosts.of(network, i).parameters());
      }
    }
  }
}
