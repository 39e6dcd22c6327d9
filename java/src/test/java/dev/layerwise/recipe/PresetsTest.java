package dev.layerwise.recipe;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.data.DataSets;
import dev.layerwise.model.Networks;
import dev.layerwise.train.RunConfig;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PresetsTest {
  private static final Map<Integer, List<Integer>> MILESTONES =
      Map.of(100, List.of(50, 75, 89, 94), 200, List.of(100, 150, 175, 188), 400, List.of(200, 300, 350, 375));

  @Test
  void everyPublishedRunIsThere() {
    assertThat(Presets.names()).hasSize(86).doesNotHaveDuplicates();
    assertThat(Presets.all()).filteredOn(Preset::bio).hasSize(4);
    assertThat(Presets.all()).filteredOn(preset -> preset.publishedError() != null).hasSize(82);
    assertThat(Presets.datasets())
        .containsExactly("mnist", "fashion-mnist", "kuzushiji-mnist", "cifar-10", "cifar-100", "svhn", "stl-10");
  }

  @Test
  void nameAndContentAgree() {
    for (Preset preset : Presets.all()) {
      String name = preset.name();
      String[] words = preset.network().split("-");
      String dataset = preset.dataset().replace("-mnist", "").replace("-", "");
      assertThat(name).startsWith(dataset + "-").endsWith("-" + preset.loss());
      assertThat(preset.model()).as(name).isEqualTo(words[0]).isIn(Networks.names());
      assertThat(preset.bio()).as(name).isEqualTo(List.of(words).contains("bio"));
      assertThat(preset.targetProjSize()).as(name).isEqualTo(preset.bio() ? 128 : 0);
      String cutout = preset.cutoutLength() == 0 ? "" : "-cutout" + preset.cutoutLength();
      assertThat(preset.network()).as(name).matches("\\w+?(-[23]x)?(-bio)?" + cutout);
      if (!preset.model().equals("mlp")) {
        String width = preset.featMult() == 1 ? "" : "-" + (int) preset.featMult() + "x";
        assertThat(preset.network()).as(name).startsWith(preset.model() + width);
      }
      assertThat(preset.nonlin()).as(name).isEqualTo(preset.loss().endsWith("sim") ? "leakyrelu" : "relu");
      assertThat(preset.milestones()).as(name).isEqualTo(MILESTONES.get(preset.epochs()));
      boolean fewClasses = preset.dataset().equals("cifar-100") && preset.loss().endsWith("sim");
      assertThat(preset.classesPerBatch()).as(name).isEqualTo(fewClasses ? 20 : 0);
      assertThat(preset.classesPerBatchUntilEpoch()).as(name).isEqualTo(fewClasses ? 200 : 0);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "mnist-mlp-predsim,                  0.62, 100, 5e-4, 0.1,   4096, 1",
    "mnist-vgg8b-cutout14-predsim,       0.26, 100, 5e-4, 0.2,   1024, 1",
    "fashion-vgg8b-2x-pred,              5.11, 200, 3e-4, 0.2,   4096, 2",
    "fashion-mlp-global,                 8.37, 200, 5e-4, 0.025, 4096, 1",
    "kuzushiji-vgg8b-cutout14-predsim,   0.99, 100, 5e-4, 0.15,  1024, 1",
    "cifar10-vgg11b-3x-sim,              9.34, 400, 3e-4, 0.3,   4096, 3",
    "cifar10-vgg11b-predsim,             5.30, 400, 5e-4, 0.2,   2048, 1",
    "cifar100-vgg11b-3x-predsim,        20.13, 400, 3e-4, 0.15,  4096, 3",
    "svhn-vgg8b-cutout16-predsim,        1.65, 100, 3e-4, 0.15,  2048, 1",
    "stl10-vgg8b-cutout48-predsim,      19.25, 400, 5e-4, 0.1,   2048, 1",
  })
  void isAsPublished(String name, double error, int epochs, double lr, double dropout, int dim, double featMult) {
    Preset preset = Presets.find(name).orElseThrow();
    assertThat(preset.publishedError()).isEqualTo(error);
    assertThat(preset.epochs()).isEqualTo(epochs);
    assertThat(preset.lr()).isEqualTo(lr);
    assertThat(preset.dropout()).isEqualTo(dropout);
    assertThat(preset.dimInDecoder()).isEqualTo(dim);
    assertThat(preset.featMult()).isEqualTo(featMult);
  }

  @Test
  void givesTheConfigurationOfItsRun() {
    Preset preset = Presets.find("cifar100-mlp-sim").orElseThrow();
    RunConfig config = preset.runConfig(DataSets.info("cifar-100"));
    assertThat(config.model().numLayers()).isEqualTo(3);
    assertThat(config.model().numHidden()).isEqualTo(3000);
    assertThat(config.model().loss()).isEqualTo("sim");
    assertThat(config.model().backprop()).isFalse();
    assertThat(config.model().classes()).isEqualTo(100);
    assertThat(config.training().batchSize()).isEqualTo(128);
    assertThat(config.training().classesPerBatch()).isEqualTo(20);
    assertThat(config.training().cropPadding()).isEqualTo(4);
    assertThat(config.training().nHoles()).isZero();
    RunConfig global = Presets.find("mnist-vgg8b-global").orElseThrow().runConfig(DataSets.info("mnist"));
    assertThat(global.model().backprop()).isTrue();
    assertThat(global.model().loss()).isNull();
    RunConfig cutout = Presets.find("mnist-vgg8b-cutout14-predsim").orElseThrow().runConfig(DataSets.info("mnist"));
    assertThat(cutout.training().nHoles()).isEqualTo(1);
    assertThat(cutout.training().length()).isEqualTo(14);
  }
}
