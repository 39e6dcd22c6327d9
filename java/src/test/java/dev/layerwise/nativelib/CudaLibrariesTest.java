package dev.layerwise.nativelib;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class CudaLibrariesTest {
  private static String device(String asked, Map<String, String> environment, int gpus) {
    return CudaLibraries.device(asked, environment::get, () -> gpus);
  }

  @Test
  void processesOfOneMachineHaveAGpuEach() {
    for (String variable : new String[] {"OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID", "MPI_LOCALRANKID"}) {
      assertThat(device("cuda", Map.of(variable, "3"), 8)).isEqualTo("cuda:3");
    }
  }

  @Test
  void moreProcessesThanGpusAreLeftToTheBackendWhichRefusesThem() {
    assertThat(device("cuda", Map.of("SLURM_LOCALID", "2"), 2)).isEqualTo("cuda:2");
  }

  @Test
  void aProcessThatSeesOneGpuTakesIt() {
    assertThat(device("cuda", Map.of("SLURM_LOCALID", "3"), 1)).isEqualTo("cuda");
  }

  @Test
  void otherDevicesAndOtherProcessesKeepTheirs() {
    assertThat(device("cuda:1", Map.of("SLURM_LOCALID", "3"), 8)).isEqualTo("cuda:1");
    assertThat(device("cpu", Map.of("SLURM_LOCALID", "3"), 8)).isEqualTo("cpu");
    assertThat(device("cuda", Map.of(), 8)).isEqualTo("cuda");
    assertThat(device("cuda", Map.of("SLURM_LOCALID", "none"), 8)).isEqualTo("cuda");
  }
}
