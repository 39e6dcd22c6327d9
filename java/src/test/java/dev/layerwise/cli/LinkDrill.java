package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.layerwise.LayerwiseException;
import dev.layerwise.nativelib.NativeCommunicator;
import dev.layerwise.run.RecordedRun;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two processes on two machines, whose network is cut. The machines are network namespaces with a cable between them; a
 * script takes the place of ssh.
 */
class LinkDrill {
  private static final String FIRST = "layerwise-a";
  private static final String SECOND = "layerwise-b";
  private static final int DEADLINE_SECONDS = 10;

  @TempDir private Path folder;

  @BeforeEach
  void connectMachines() throws Exception {
    String problem = "root".equals(System.getProperty("user.name")) ? null : "only root can make network namespaces";
    try {
      NativeCommunicator.mpi();
      new ProcessBuilder("mpirun", "--version").redirectErrorStream(true).start().waitFor();
    } catch (LayerwiseException | IOException e) {
      problem = e.getMessage();
    }
    assumeThat(problem).as("two machines are needed: %s", problem).isNull();
    disconnectMachines();
    String made =
        shell(
            "ip netns add layerwise-a && ip netns add layerwise-b"
                + " && ip link add lw-a netns layerwise-a type veth peer name lw-b netns layerwise-b"
                + " && ip -n layerwise-a addr add 10.77.0.1/24 dev lw-a && ip -n layerwise-b addr add 10.77.0.2/24 dev lw-b"
                + " && for h in a b; do ip -n layerwise-$h link set lo up && ip -n layerwise-$h link set lw-$h up; done"
                + " && echo connected");
    assumeThat(made).as("two network namespaces are needed: %s", made).isEqualTo("connected\n");
    Path agent = folder.resolve("agent");
    Files.writeString(
        agent,
        "#!/bin/sh\n[ \"$1\" = 10.77.0.1 ] && host=layerwise-a || host=layerwise-b\nshift\n"
            + "exec ip netns exec $host unshare --uts sh -c \"hostname $host; $*\"\n");
    assertThat(agent.toFile().setExecutable(true)).isTrue();
  }

  @AfterEach
  void disconnectMachines() throws Exception {
    shell("ip netns del " + FIRST + "; ip netns del " + SECOND);
  }

  private static String shell(String command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder("bash", "-c", command).redirectErrorStream(true).start();
    String printed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    process.waitFor();
    return printed;
  }

  @Test
  void aCutNetworkEndsTheJobOnBothMachines() throws Exception {
    Path run = folder.resolve("run");
    List<String> command = new ArrayList<>(List.of(
        "ip", "netns", "exec", FIRST, "unshare", "--uts", "sh", "-c", "hostname " + FIRST + "; exec \"$@\"", "sh",
        "mpirun", "--host", "10.77.0.1,10.77.0.2", "--bind-to", "none", "-n", "2",
        "--mca", "oob_tcp_keepalive_time", "2", "--mca", "oob_tcp_keepalive_intvl", "1", "--mca",
        "oob_tcp_keepalive_probes", "3"));
    command.addAll(
        JavaProcess.command(
            "train", "--threads", 1, "--num-layers", 1, "--num-hidden", 32, "--batch-size", 100, "--epochs", 100000, "--out",
            run));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().putAll(
        Map.of(
            "OMPI_ALLOW_RUN_AS_ROOT", "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", "OMPI_MCA_mpi_yield_when_idle", "1",
            "OMPI_MCA_plm_rsh_agent", folder.resolve("agent").toString()));
    Path err = folder.resolve("err");
    Process job = builder.redirectOutput(folder.resolve("out").toFile()).redirectError(err.toFile()).start();
    while (!Files.exists(run.resolve("metrics.jsonl"))) {
      assertThat(job.isAlive()).as(Files.readString(err)).isTrue();
      TimeUnit.MILLISECONDS.sleep(20);
    }
    shell("ip -n " + SECOND + " link set lw-b down");
    try {
      assertThat(job.waitFor(DEADLINE_SECONDS, TimeUnit.SECONDS)).as("the job ends: %s", Files.readString(err)).isTrue();
    } finally {
      job.destroy();
    }
    assertThat(job.exitValue()).isNotZero();
    assertThat(Files.readString(err))
        .contains("lost communication with a remote daemon", "on node 10.77.0.2")
        .contains("continue from the last checkpoint with: mpirun -n 2 layerwise train --resume " + run)
        .doesNotContain("mpirun notices a lost machine");
    for (int tries = 0; !shell("pgrep -f " + run).isEmpty(); tries++) {
      assertThat(tries).as("the other machine's process ends, too").isLessThan(10 * DEADLINE_SECONDS);
      TimeUnit.MILLISECONDS.sleep(100);
    }
    int epoch = RecordedRun.read(run).progress().epoch();
    CommandLineRunner resumed = CommandLineRunner.run("train", "--resume", run, "--epochs", epoch);
    assertThat(resumed.exitCode()).as(resumed.err()).isZero();
  }
}
