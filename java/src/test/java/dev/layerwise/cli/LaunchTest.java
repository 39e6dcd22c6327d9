package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What launches are warned of, and what the launcher script sets for them. */
class LaunchTest {
  @TempDir private Path folder;

  @Test
  void processesBoundToOneOfManyCoresAreWarned() {
    assertThat(Launch.warnings(4, 4, 1, false, 16, 1, true)).containsExactly(
        "the launcher has bound each process to one of 16 cores; with mpirun, add --bind-to none or --map-by slot:PE=4");
    assertThat(Launch.warnings(4, 4, 1, true, 16, 1, true)).as("one thread was asked for").isEmpty();
    assertThat(Launch.warnings(4, 4, 1, false, 4, 1, true)).as("a core for each").isEmpty();
    assertThat(Launch.warnings(4, 4, 1, false, 0, 1, true)).as("cores cannot be counted").isEmpty();
  }

  @Test
  void processesThatShareCoresAreWarned() {
    assertThat(Launch.warnings(4, 4, 2, true, 2, 2, true)).containsExactly(
        "4 processes share 2 cores, and will wait for each other; start fewer");
    assertThat(Launch.warnings(2, 2, 8, false, 8, 8, true)).containsExactly(
        "2 processes with 8 threads each share 8 cores, and will wait for each other; add --threads 4");
    assertThat(Launch.warnings(2, 2, 4, true, 8, 8, true)).isEmpty();
  }

  @Test
  void severalMachinesWithoutKeepalivesAreWarned() {
    assertThat(Launch.warnings(4, 2, 4, true, 8, 8, true)).singleElement().asString()
        .contains("add --mca oob_tcp_keepalive_time 2 --mca oob_tcp_keepalive_intvl 1 --mca oob_tcp_keepalive_probes 3");
    assertThat(Launch.warnings(4, 2, 4, true, 8, 8, false)).as("with keep-alives").isEmpty();
    assertThat(Launch.warnings(4, 4, 2, true, 8, 8, true)).as("one machine").isEmpty();
  }

  @Test
  void processesYieldWhereThereAreMoreThanCores() throws Exception {
    // A folder that looks built, and a Java that prints its environment.
    Path script = Path.of("..", "layerwise").toAbsolutePath();
    Files.copy(script, folder.resolve("layerwise"));
    for (String part : List.of("java/src/main", "native/tests", "build/app/copy", "jdk/bin")) {
      Files.createDirectories(folder.resolve(part));
    }
    for (String file : List.of("CMakeLists.txt", "pom.xml", "java/pom.xml")) {
      Files.writeString(folder.resolve(file), "");
    }
    Files.writeString(folder.resolve("build/app/copy/stamp"), "");
    Files.writeString(folder.resolve("build/app/copy/mpi"), "");
    Files.createSymbolicLink(folder.resolve("build/app/current"), Path.of("copy"));
    Path java = folder.resolve("jdk/bin/java");
    Files.writeString(java, "#!/bin/sh\nexec env\n");
    assertThat(java.toFile().setExecutable(true)).isTrue();
    assertThat(environment(Map.of())).doesNotContain("yield_when_idle");
    assertThat(environment(Map.of("OMPI_COMM_WORLD_LOCAL_SIZE", "1"))).doesNotContain("yield_when_idle");
    assertThat(environment(Map.of("OMPI_COMM_WORLD_LOCAL_SIZE", "9999"))).contains("OMPI_MCA_mpi_yield_when_idle=1\n");
    assertThat(environment(Map.of("OMPI_COMM_WORLD_LOCAL_SIZE", "9999", "OMPI_MCA_mpi_yield_when_idle", "0")))
        .contains("OMPI_MCA_mpi_yield_when_idle=0\n");
  }

  private String environment(Map<String, String> set) throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder(folder.resolve("layerwise").toString()).redirectErrorStream(true);
    builder.environment().keySet().removeIf(name -> name.startsWith("OMPI_"));
    builder.environment().put("JAVA_HOME", folder.resolve("jdk").toString());
    builder.environment().putAll(set);
    Process process = builder.start();
    String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(printed).isZero();
    return printed;
  }
}
