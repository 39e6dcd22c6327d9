package dev.layerwise.nativelib;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

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

  /** JavaCPP turns enumerations into bare numbers; ours find their constants by position. */
  @Test
  void enumerationsAreInTheOrderOfTheHeader() {
    for (BlockKind kind : BlockKind.values()) {
      assertThat(kind.code).isEqualTo(kind.ordinal());
    }
    for (Loss loss : Loss.values()) {
      assertThat(loss.code).isEqualTo(loss.ordinal());
    }
    for (Optimizer optimizer : Optimizer.values()) {
      assertThat(optimizer.code).isEqualTo(optimizer.ordinal());
    }
    for (TensorRole role : TensorRole.values()) {
      assertThat(role.code).isEqualTo(role.ordinal());
    }
  }

  @Test
  void blocksStartFromThePublishedDefaults() {
    BlockConfig config = BlockConfig.builder("features.0", BlockKind.CONVOLUTION).build();
    assertThat(config.kernel()).isEqualTo(3);
    assertThat(config.padding()).isEqualTo(1);
    assertThat(config.batchNorm()).isTrue();
    assertThat(config.loss()).isEqualTo(Loss.PREDSIM);
    assertThat(config.beta()).isEqualTo(0.99);
    assertThat(config.dimInDecoder()).isEqualTo(4096);
    assertThat(config.optimizer()).isEqualTo(Optimizer.ADAM);
  }
}
