package dev.layerwise.nativelib;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.layerwise.nativelib.generated.BlockConfigStruct;
import dev.layerwise.nativelib.generated.LayerwiseApi;
import dev.layerwise.nativelib.generated.LayerwiseApi.BlockKind;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Settings;
import java.util.Map;
import org.junit.jupiter.api.Test;

class NativeLibraryTest {
  @Test
  void saysItsVersion() {
    assertThat(NativeLibrary.version()).matches("\\d+\\.\\d+\\.\\d+");
  }

  @Test
  void namesTheProcessorsVectorExtensions() {
    assertThat(NativeLibrary.cpuFeatures()).matches("([a-z0-9_]+( [a-z0-9_]+)*)?");
  }

  @Test
  void namesAnUnknownDevice() {
    assertThatExceptionOfType(DeviceUnavailableException.class)
        .isThrownBy(() -> NativeContext.create("abacus", 0, 1))
        .withMessageContaining("abacus");
  }

  @Test
  void usesTheThreadsItIsAskedFor() {
    try (NativeContext context = NativeContext.create("cpu", 2, 1)) {
      assertThat(context.threads()).isEqualTo(2);
    }
    try (NativeContext context = NativeContext.create("cpu", 0, 1)) {
      assertThat(context.threads()).isPositive();
    }
  }

  @Test
  void blocksStartFromThePublishedDefaults() {
    BlockConfigStruct config = new BlockConfig("features.0", BlockKind.LAYERWISE_CONVOLUTION).fields();
    assertThat(config.geometry().kernel()).isEqualTo(3);
    assertThat(config.geometry().padding()).isEqualTo(1);
    assertThat(config.batch_norm()).isEqualTo(1);
    assertThat(config.losses().loss()).isEqualTo(LayerwiseApi.Loss.LAYERWISE_LOSS_PREDSIM.value);
    assertThat(config.losses().beta()).isEqualTo(Losses.DEFAULT.beta());
    assertThat(config.losses().alpha()).isEqualTo(Losses.DEFAULT.alpha());
    assertThat(config.losses().target_proj_size()).isEqualTo(Losses.DEFAULT.targetProjSize());
    assertThat(config.losses().dim_in_decoder()).isEqualTo(Losses.DEFAULT.dimInDecoder());
    assertThat(config.optimizer().optim()).isEqualTo(LayerwiseApi.Optim.LAYERWISE_OPTIM_ADAM.value);
  }

  @Test
  void settingsReachTheFieldsOfTheirNames() {
    BlockConfig config = new BlockConfig("features.0", BlockKind.LAYERWISE_CONVOLUTION);
    config.optimizer(Map.of("optim", "sgd", "momentum", 0.5, "weight_decay", 0.25));
    config.losses(Map.of("loss", "sim", "loss_unsup", "recon", "bio", true, "classes", 7));
    assertThat(config.fields().optimizer().optim()).isEqualTo(LayerwiseApi.Optim.LAYERWISE_OPTIM_SGD.value);
    assertThat(config.fields().optimizer().momentum()).isEqualTo(0.5);
    assertThat(config.fields().optimizer().weight_decay()).isEqualTo(0.25);
    assertThat(config.fields().losses().loss()).isEqualTo(LayerwiseApi.Loss.LAYERWISE_LOSS_SIM.value);
    assertThat(config.fields().losses().loss_unsup()).isEqualTo(LayerwiseApi.LossUnsup.LAYERWISE_LOSS_UNSUP_RECON.value);
    assertThat(config.fields().losses().bio()).isEqualTo(1);
    assertThat(config.fields().losses().classes()).isEqualTo(7);
  }

  @Test
  void everySettingOfTheRulesIsThere() {
    for (String rule : Optimizer.RULES) {
      new BlockConfig("b", BlockKind.LAYERWISE_LINEAR).optimizer(Map.of("optim", rule));
    }
    for (String loss : Losses.LOCAL) {
      new BlockConfig("b", BlockKind.LAYERWISE_LINEAR).losses(Map.of("loss", loss));
    }
    for (String loss : Losses.UNSUPERVISED) {
      new BlockConfig("b", BlockKind.LAYERWISE_LINEAR).losses(Map.of("loss_unsup", loss));
    }
  }

  @Test
  void aSettingWithoutAFieldIsAnError() {
    BlockConfig config = new BlockConfig("b", BlockKind.LAYERWISE_LINEAR);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> config.optimizer(Map.of("nesterof", true)))
        .withMessageContaining("OptimizerStruct has no field nesterof");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> config.losses(Map.of("loss", "cosine")))
        .withMessageContaining("LAYERWISE_LOSS_COSINE");
  }
}
