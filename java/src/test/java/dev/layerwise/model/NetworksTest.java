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

class NetworksTest {
  private static ModelConfig config(String model, double featMult, int numLayers, int channels, int side) {
    return TestConfigs.model(
        Settings.partial(Architecture.class, "model", model, "feat_mult", featMult, "num_layers", numLayers),
        channels, side);
  }

  @Test
  void namesCountPoolsAsThePublishedCodeDoes() {
    List<LayerSpec> layers = Networks.layers(config("vgg8b", 0.25, 1, 3, 32));
    assertThat(layers)
        .extracting(LayerSpec::name)
        .containsExactly(
            "features.0", "features.1", "features.3", "features.4", "features.6", "features.8",
            "classifier.layers.0", "classifier.layer_out");
    assertThat(layers).extracting(LayerSpec::outChannels).containsExactly(32, 64, 64, 128, 128, 128, 1024, 10);
    assertThat(layers).extracting(LayerSpec::inHeight).containsExactly(32, 32, 16, 16, 8, 4, 2, 1);
    assertThat(layers.get(6).inChannels()).isEqualTo(128);
  }

  @ParameterizedTest
  @CsvSource({
    "vgg6a, 4", "vgg6b, 4", "vgg8, 5", "vgg8a, 6", "vgg8b, 6", "vgg11, 8", "vgg11b, 9", "vgg13, 10", "vgg16, 13",
    "vgg19, 16"
  })
  void everyVggHasItsConvolutions(String model, long convolutions) {
    List<LayerSpec> layers = Networks.layers(config(model, 1, 1, 3, 32));
    assertThat(layers.stream().filter(layer -> layer.kind() == Kind.CONVOLUTION).count()).isEqualTo(convolutions);
    assertThat(layers.get(layers.size() - 1).kind()).isEqualTo(Kind.OUTPUT);
  }

  @Test
  void withoutHiddenLinearBlocksTheOutputLayerIsTheClassifier() {
    List<LayerSpec> layers = Networks.layers(config("vgg6a", 1, 0, 3, 32));
    assertThat(layers.get(layers.size() - 1).name()).isEqualTo("classifier");
    assertThat(layers.get(layers.size() - 1).inHeight()).isEqualTo(4);
    assertThat(Networks.layers(config("mlp", 1, 0, 1, 28))).extracting(LayerSpec::name).containsExactly("layer_out");
  }

  @Test
  void largeImagesGetAWideFirstConvolution() {
    LayerSpec first = Networks.layers(config("vgg8b", 1, 1, 3, 96)).get(0);
    assertThat(List.of(first.kernel(), first.stride(), first.padding())).containsExactly(7, 2, 3);
    assertThat(Networks.layers(config("vgg8b", 1, 1, 3, 96)).get(1).inHeight()).isEqualTo(48);
  }

  @Test
  void aMapThatShrinksToNothingIsRefused() {
    assertThatThrownBy(() -> Networks.layers(config("vgg8b", 1, 1, 1, 8)))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("vgg8b is too deep for 8×8 images")
        .hasMessageContaining("features.8");
  }

  @Test
  void sizesThatLeaveNothingAreRefused() {
    assertThatThrownBy(() -> Networks.layers(config("vgg8b", 0.001, 1, 3, 32))).hasMessageContaining("channels times 0.001");
    assertThatThrownBy(() -> Networks.layers(config("resnet19", 1, 1, 3, 32)))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("unknown network 'resnet19'")
        .hasMessageContaining("vgg11b");
  }
}
