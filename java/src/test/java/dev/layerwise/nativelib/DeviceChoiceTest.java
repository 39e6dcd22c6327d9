package dev.layerwise.nativelib;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class DeviceChoiceTest {
  private static final DeviceOptions ASKED = new DeviceOptions(DeviceOptions.AUTO, 3, "f32", "auto", true, "");

  private static DeviceChoice choose(List<String> gpus, Map<String, String> problems) {
    return DeviceChoice.of(ASKED, gpus, options -> Optional.ofNullable(problems.get(options.device())));
  }

  @Test
  void theFirstGpuThatWorksIsTakenWithAllOtherOptions() {
    assertThat(choose(List.of("cuda", "cuda:1"), Map.of()))
        .isEqualTo(
            new DeviceChoice(
                new DeviceOptions("cuda", 3, "f32", "auto", true, ""), Optional.of("the first GPU that works"), false));
    assertThat(choose(List.of("cuda", "cuda:1"), Map.of("cuda", "it is too old")))
        .isEqualTo(
            new DeviceChoice(
                ASKED.withDevice("cuda:1"), Optional.of("the first GPU that works; cuda does not work: it is too old"),
                true));
  }

  @Test
  void theProcessorIsTakenWhereNoGpuWorks() {
    assertThat(choose(List.of(), Map.of()))
        .isEqualTo(new DeviceChoice(ASKED.withDevice("cpu"), Optional.of("no NVIDIA GPU here"), false));
    assertThat(choose(List.of("cuda", "cuda:1"), Map.of("cuda", "it is too old", "cuda:1", "it is full")))
        .isEqualTo(
            new DeviceChoice(
                ASKED.withDevice("cpu"),
                Optional.of("cuda does not work: it is too old; cuda:1 does not work: it is full"), true));
  }

  @Test
  void aDeviceThatIsAskedForIsNeverReplaced() {
    DeviceOptions asked = DeviceOptions.of("cuda:77", 1);
    assertThat(DeviceChoice.of(asked)).isEqualTo(new DeviceChoice(asked, Optional.empty(), false));
    assertThatThrownBy(() -> NativeContext.create(asked, 1)).isInstanceOf(DeviceOptionsException.class);
  }

  @Test
  void aContextSaysWhichDeviceItHasTaken() {
    try (NativeContext context = NativeContext.create(DeviceOptions.of(DeviceOptions.AUTO, 1), 1)) {
      assertThat(context.inUse().device()).matches("cpu|cuda.*");
    }
  }
}
