package dev.layerwise.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.TestConfigs;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Settings;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which blocks learn together, under {@code --blocks-per-loss}. */
class LossGroupsTest {
  private static List<LayerSpec> layers(String model, int blocksPerLoss) {
    return Networks.layers(
        TestConfigs.model(
            TestConfigs.named(model, 0.25), Settings.partial(Losses.class, "blocks_per_loss", blocksPerLoss), 3, 32,
            null));
  }

  private static List<String> withLoss(String model, int blocksPerLoss) {
    return layers(model, blocksPerLoss).stream().filter(LayerSpec::hasLoss).map(LayerSpec::name).toList();
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "1   | features.0 features.1 features.3 features.4 features.6 features.8 classifier.layers.0 classifier.layer_out",
    "2   | features.1 features.4 features.8 classifier.layers.0 classifier.layer_out",
    "3   | features.3 features.8 classifier.layers.0 classifier.layer_out",
    "100 | classifier.layers.0 classifier.layer_out",
  })
  void everyNthBlockOfAPlainNetworkHasALoss(int blocksPerLoss, String names) {
    assertThat(withLoss("vgg8b", blocksPerLoss)).containsExactly(names.split(" "));
  }

  @Test
  void aResidualBlockThatFitsIsNotDivided() {
    assertThat(withLoss("resnet18", 2))
        .containsExactly(
            "conv1", "layer1.0.conv2", "layer1.1.conv2", "layer2.0.conv2", "layer2.1.conv2", "layer3.0.conv2",
            "layer3.1.conv2", "layer4.0.conv2", "layer4.1.conv2", "linear");
    assertThat(withLoss("resnet18", 4))
        .containsExactly("layer1.0.conv2", "layer2.0.conv2", "layer3.0.conv2", "layer4.0.conv2", "layer4.1.conv2", "linear");
    assertThat(withLoss("resnet18", 1)).hasSize(18);
  }

  @Test
  void everyBlockLeadsToALossOfItsGroup() {
    for (String model : List.of("vgg8b", "vgg11b", "resnet18", "resnet50")) {
      for (int blocksPerLoss : new int[] {1, 2, 3, 5, 9}) {
        List<LayerSpec> layers = layers(model, blocksPerLoss);
        for (LayerSpec layer : layers) {
          boolean leads = false;
          for (LayerSpec reader : layers) {
            boolean reads = reader.input() == layers.indexOf(layer)
                || Integer.valueOf(layers.indexOf(layer)).equals(reader.shortcut());
            leads |= reads && reader.learnsWith(layer);
          }
          assertThat(leads || layer.hasLoss() || layer.kind() == LayerSpec.Kind.HEAD)
              .as("%s of %s, %d together", layer.name(), model, blocksPerLoss)
              .isTrue();
        }
      }
    }
  }
}
