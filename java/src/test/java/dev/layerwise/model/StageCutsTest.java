package dev.layerwise.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.TestConfigs;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.Settings;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StageCutsTest {
  private static final List<LayerSpec> MLP = layers("mlp", "num_layers", 3);
  private static final List<LayerSpec> RESNET = layers("resnet18", "feat_mult", 1.0);

  private static List<LayerSpec> layers(String model, String setting, Object value) {
    return Networks.layers(
        TestConfigs.model(Settings.partial(Architecture.class, "model", model, setting, value), 3, 32));
  }

  @Test
  void textAndBack() {
    StageCuts cuts = StageCuts.parse("0, 1-2,3-", MLP);
    assertThat(cuts.stages()).isEqualTo(3);
    assertThat(cuts.stage(1)).isEqualTo(new LayerRange(1, 3));
    assertThat(cuts.stage(2)).isEqualTo(new LayerRange(3, 4));
    assertThat(cuts).hasToString("0,1-2,3").isEqualTo(StageCuts.parse("0,1-2,3", MLP));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "1-", "0-1", "0-1,3-", "0-2,2-", "0-4", "0-1,2-4", "0-,1-", "2-1,2-", "0-x", "0,1,2,3,4", "-"})
  void otherTextsAreRefused(String text) {
    assertThatThrownBy(() -> StageCuts.parse(text, MLP))
        .isInstanceOf(ModelException.class)
        .hasMessage(
            "the stages '" + text + "' do not divide the network's layers 0 to 3; write them in order and without gaps,"
                + " such as 0-1,2-");
  }

  @Test
  void noStageBeginsInsideAResidualBlock() {
    List<Integer> begins = StageCuts.possibleBegins(RESNET);
    for (int begin : begins) {
      for (LayerSpec layer : RESNET.subList(begin, RESNET.size())) {
        assertThat(layer.input()).isGreaterThanOrEqualTo(begin - 1);
      }
    }
    // The first convolution and each of eight blocks can be cut off; pooling and the output layer can stand alone too.
    assertThat(begins).hasSizeBetween(9, 12).contains(0, 1).doesNotContain(2);
    assertThatThrownBy(() -> StageCuts.parse("0-1,2-", RESNET))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("which lies inside a residual block; stages can begin with the layers 0, 1, ");
  }

  @Test
  void theSlowestStageIsAsFastAsCanBe() {
    double[] seconds = {5, 1, 4, 3};
    assertThat(StageCuts.balanced(MLP, seconds, 1)).hasToString("0-3");
    assertThat(StageCuts.balanced(MLP, seconds, 2)).hasToString("0-1,2-3");
    assertThat(StageCuts.balanced(MLP, seconds, 3)).hasToString("0,1-2,3");
    assertThat(StageCuts.balanced(MLP, seconds, 2).slowestShare(seconds)).isEqualTo(7 / 13.0);
    assertThatThrownBy(() -> StageCuts.balanced(MLP, seconds, 5))
        .hasMessageContaining("at most 4 stages, fewer than 5");
  }
}
