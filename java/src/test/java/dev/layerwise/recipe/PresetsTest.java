package dev.layerwise.recipe;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.data.DataSets;
import dev.layerwise.model.Networks;
import dev.layerwise.run.RunConfig;
import dev.layerwise.settings.Batches;
import dev.layerwise.settings.Schedule;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PresetsTest {
  private static final Map<Integer, List<Integer>> MILESTONES =
      Map.of(100, List.of(50, 75, 89, 94), 200, List.of(100, 150, 175, 188), 400, List.of(200, 300, 350, 375));

  private static boolean isBio(Preset preset) {
    return Boolean.TRUE.equals(preset.losses().bio());
  }

  private static RunConfig whole(Preset preset) {
    return preset.runConfig(DataSets.info(preset.dataset()));
  }

  @Test
  void aPresetMayHoldOutImagesAndFreezeBlocks() throws IOException {
    String text =
        "{\"name\": \"mnist-mlp-predsim\", \"dataset\": \"mnist\", \"model\": \"mlp\", \"num_layers\": 2, \"epochs\": 100,"
            + " \"validation\": 0.1, \"freeze_after\": \"40,80\"}";
    RunConfig config = whole(new ObjectMapper().readValue(text, Preset.class));
    assertThat(config.training().batches().validation()).isEqualTo(0.1);
    assertThat(config.training().freezing().freezeAfter()).isEqualTo("40,80");
    assertThat(config.training().stretched(0.1).freezing().freezeAfter()).isEqualTo("4,8");
  }

  @Test
  void everyPublishedRunIsThere() {
    assertThat(Presets.all()).hasSize(86);
    assertThat(Presets.names()).hasSize(2 * 86).doesNotHaveDuplicates();
    assertThat(Presets.all()).filteredOn(PresetsTest::isBio).hasSize(4);
    assertThat(Presets.all()).filteredOn(preset -> preset.publishedError() != null).hasSize(82);
    assertThat(Presets.datasets())
        .containsExactly("mnist", "fashion-mnist", "kuzushiji-mnist", "cifar-10", "cifar-100", "svhn", "stl-10");
  }

  @Test
  void nameAndContentAgree() {
    for (Preset preset : Presets.all()) {
      String name = preset.name();
      Schedule schedule = whole(preset).training().schedule();
      Batches batches = whole(preset).training().batches();
      String[] words = preset.network().split("-");
      String dataset = preset.dataset().replace("-mnist", "").replace("-", "");
      assertThat(name).startsWith(dataset + "-").endsWith("-" + preset.loss());
      assertThat(preset.architecture().model()).as(name).isEqualTo(words[0]).isIn(Networks.names());
      assertThat(isBio(preset)).as(name).isEqualTo(List.of(words).contains("bio"));
      assertThat(whole(preset).model().losses().targetProjSize()).as(name).isEqualTo(128);
      String cutout = preset.augmentation().length() == null ? "" : "-cutout" + preset.augmentation().length();
      assertThat(preset.network()).as(name).matches("\\w+?(-[23]x)?(-bio)?" + cutout);
      if (!preset.architecture().model().equals("mlp")) {
        Double featMult = preset.architecture().featMult();
        String width = featMult == null ? "" : "-" + featMult.intValue() + "x";
        assertThat(preset.network()).as(name).startsWith(preset.architecture().model() + width);
      }
      assertThat(whole(preset).model().architecture().nonlin()).as(name).isEqualTo(preset.loss().endsWith("sim") ? "leakyrelu" : "relu");
      assertThat(schedule.lrDecayMilestones()).as(name).isEqualTo(MILESTONES.get(schedule.epochs()));
      boolean fewClasses = preset.dataset().equals("cifar-100") && preset.loss().endsWith("sim");
      assertThat(batches.classesPerBatch()).as(name).isEqualTo(fewClasses ? 20 : 0);
      assertThat(batches.classesPerBatchUntilEpoch()).as(name).isEqualTo(fewClasses ? 200 : 0);
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
    RunConfig config = whole(preset);
    assertThat(config.training().schedule().epochs()).isEqualTo(epochs);
    assertThat(config.training().schedule().lr()).isEqualTo(lr);
    assertThat(config.model().architecture().dropout()).isEqualTo(dropout);
    assertThat(config.model().losses().dimInDecoder()).isEqualTo(dim);
    assertThat(config.model().architecture().featMult()).isEqualTo(featMult);
  }

  @Test
  void everyPublishedRunHasAFastCounterpart() {
    for (Preset preset : Presets.all()) {
      Preset fast = Presets.find(preset.name() + "-fast").orElseThrow();
      RunConfig config = whole(fast);
      assertThat(fast.network()).isEqualTo(preset.network());
      if (!preset.name().equals("mnist-mlp-predsim")) {
        assertThat(config.model()).isEqualTo(whole(preset).model());
        assertThat(config.training().augmentation()).isEqualTo(whole(preset).training().augmentation());
      }
      assertThat(config.training().schedule().epochs()).isEqualTo(preset.schedule().epochs() / 10);
      assertThat(config.training().schedule().schedule()).isEqualTo("one-cycle");
      assertThat(config.training().schedule().lrDecayMilestones()).isEmpty();
      assertThat(config.training().schedule().lr()).isGreaterThan(whole(preset).training().schedule().lr());
    }
    assertThat(whole(Presets.find("cifar100-vgg8b-predsim-fast").orElseThrow()).training().batches().classesPerBatchUntilEpoch())
        .isEqualTo(20);
  }

  @Test
  void theFastMlpOnMnistLearnsFromImagesWithHoles() {
    RunConfig config = whole(Presets.find("mnist-mlp-predsim-fast").orElseThrow());
    assertThat(config.training().schedule().lr()).isEqualTo(4e-3);
    assertThat(config.model().architecture().dropout()).isZero();
    assertThat(config.model().losses().beta()).isEqualTo(0.9);
    assertThat(config.model().losses().labelSmoothing()).isEqualTo(0.1);
    assertThat(config.training().augmentation().cropPadding()).isEqualTo(1);
    assertThat(config.training().augmentation().nHoles()).isEqualTo(1);
    assertThat(config.training().augmentation().length()).isEqualTo(6);
  }

  @Test
  void givesTheConfigurationOfItsRun() {
    Preset preset = Presets.find("cifar100-mlp-sim").orElseThrow();
    RunConfig config = preset.runConfig(DataSets.info("cifar-100"));
    assertThat(config.model().architecture().numLayers()).isEqualTo(3);
    assertThat(config.model().architecture().numHidden()).isEqualTo(3000);
    assertThat(config.model().losses().loss()).isEqualTo("sim");
    assertThat(config.model().losses().backprop()).isFalse();
    assertThat(config.model().classes()).isEqualTo(100);
    assertThat(config.training().batches().batchSize()).isEqualTo(128);
    assertThat(config.training().batches().classesPerBatch()).isEqualTo(20);
    assertThat(config.training().augmentation().cropPadding()).isEqualTo(4);
    assertThat(config.training().augmentation().nHoles()).isZero();
    RunConfig global = Presets.find("mnist-vgg8b-global").orElseThrow().runConfig(DataSets.info("mnist"));
    assertThat(global.model().losses().backprop()).isTrue();
    assertThat(global.model().losses().loss()).isNull();
    RunConfig cutout = Presets.find("mnist-vgg8b-cutout14-predsim").orElseThrow().runConfig(DataSets.info("mnist"));
    assertThat(cutout.training().augmentation().nHoles()).isEqualTo(1);
    assertThat(cutout.training().augmentation().length()).isEqualTo(14);
  }
}
