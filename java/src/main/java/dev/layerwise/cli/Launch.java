package dev.layerwise.cli;

import dev.layerwise.LayerwiseException;
import dev.layerwise.data.Fingerprint;
import dev.layerwise.data.Images;
import dev.layerwise.files.FileErrors;
import dev.layerwise.files.FileException;
import dev.layerwise.model.ModelFile;
import dev.layerwise.nativelib.NativeCommunicator;
import dev.layerwise.nativelib.NativeLibrary;
import dev.layerwise.train.Communicator;
import dev.layerwise.train.ProcessGroup;
import dev.layerwise.train.SingleProcess;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.ToIntFunction;
import java.util.stream.Stream;
import java.util.zip.CRC32C;
import java.util.zip.CheckedInputStream;

/**
 * The processes that mpirun or srun has started together with this one. The first prints and writes for all of them; the
 * others print nothing but why they fail.
 */
final class Launch {
  /** Where launchers tell a process its number, and how many there are. */
  private static final List<String> RANK = List.of("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK");

  private static final List<String> SIZE = List.of("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS");
  private static final List<String> ON_THIS_MACHINE = List.of("OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS");

  /** Commands that several processes may run; the others would do everything as often as there are processes. */
  private static final Set<String> TOGETHER =
      Set.of("train", "evaluate", "embed", "reproduce", "bench", "doctor", "help");

  private static final long PATIENCE_MILLIS = 3000; // the first may have started later

  private static NativeCommunicator joined;

  private Launch() {}

  private static int number(List<String> variables, int otherwise) {
    return variables.stream()
        .map(System::getenv)
        .filter(value -> value != null && value.matches("\\d{1,7}"))
        .map(Integer::valueOf)
        .findFirst().orElse(otherwise);
  }

  private static int rank() {
    return number(RANK, 0);
  }

  /** How many there are; 1 for a process that is alone. */
  static int size() {
    return RANK.stream().anyMatch(name -> System.getenv(name) != null) ? Math.max(1, number(SIZE, 1)) : 1;
  }

  static boolean isFirst() {
    return size() == 1 || rank() == 0;
  }

  /** Throws a usage error for a command that one process is to run. */
  static void requireAlone(String command) {
    Checks.usage(
        size() == 1 || TOGETHER.contains(command),
        "'layerwise " + command + "' runs in one process; start it without mpirun or srun");
  }

  /**
   * Meets the other processes. A process that is alone meets nobody, and needs no MPI.
   *
   * @throws dev.layerwise.nativelib.DeviceUnavailableException if there are others, but no MPI
   */
  private static Communicator join() {
    if (size() == 1) {
      return new SingleProcess();
    }
    joined = NativeCommunicator.create();
    if (joined.size() != size()) {
      throw new LayerwiseException(
          "the launcher has started " + size() + " processes, but MPI knows of " + joined.size() + ": the launcher is not that of "
              + NativeCommunicator.mpi() + ", which Layerwise was built with; use its mpirun (with srun, add --mpi=pmix),"
              + " or build Layerwise with the other MPI");
    }
    return new ProcessGroup(joined);
  }

  /**
   * Does a command's work together with the other processes, if they run the same program on processors that round alike.
   *
   * @param work returns the exit code
   */
  static int together(ToIntFunction<Communicator> work) {
    Communicator processes = join();
    processes.requireEqual("the version", VersionProvider.version());
    // With others, an optimizer's step rounds differently, and the networks drift apart.
    processes.requireEqual("the set of the processor's vector extensions", NativeLibrary.cpuFeatures());
    int code = work.applyAsInt(processes);
    leave();
    return code;
  }

  /**
   * Throws in all processes unless they compute the same of the same.
   *
   * @param model its file, or a run's folder
   * @param images {@code null} if they are not of a data set
   */
  static void requireSameInput(Communicator processes, Path model, Images images, int batchSize) {
    if (size() == 1) {
      return;
    }
    processes.requireEqual("--batch-size", Integer.toString(batchSize));
    if (images != null) {
      Fingerprint fingerprint = images.fingerprint();
      processes.requireEqual("the fingerprint of the images", fingerprint.count() + " images " + fingerprint.sha256());
    }
    Path file = Files.isDirectory(model) ? model.resolve(ModelFile.FILE_NAME) : model;
    CRC32C sum = new CRC32C();
    try (InputStream in = new CheckedInputStream(Files.newInputStream(file), sum)) {
      in.transferTo(OutputStream.nullOutputStream());
    } catch (IOException e) {
      throw new FileException("cannot read " + file + " (" + FileErrors.reason(e) + ")", e);
    }
    processes.requireEqual("the checksum of the model", Long.toHexString(sum.getValue()));
  }

  /** Takes leave, when all is done and contexts are closed; waits until all others do. */
  private static void leave() {
    if (joined != null) {
      joined.close();
      joined = null;
    }
  }

  /** Ends all processes if this one has joined them and not taken leave: it has failed. */
  static void endAll(int exitCode) {
    if (joined != null) {
      System.err.flush();
      joined.abort(exitCode);
    }
  }

  /**
   * Where to print why this process fails. What the first process can tell as well, such as a wrong option, is told by it
   * alone: the others wait a moment, in which it ends them.
   */
  static PrintWriter errors(PrintWriter ofFirst) {
    if (isFirst()) {
      return Quiet.errors(ofFirst);
    }
    try {
      Thread.sleep(PATIENCE_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return new PrintWriter(System.err, true);
  }

  /** Begins the message of a process that is not the first: "rank 3 on node7: ". */
  static String name() {
    return isFirst() ? "" : "rank " + rank() + " on " + host() + ": ";
  }

  private static String host() {
    try {
      return InetAddress.getLocalHost().getHostName();
    } catch (UnknownHostException e) {
      return "an unknown host";
    }
  }

  /**
   * Warns where processes would wait for each other's cores, leave cores unused, or wait long for a machine that is lost.
   *
   * @param threads of each process
   */
  static void warnOfCores(int threads, boolean chosen, PrintWriter err) {
    if (size() == 1) {
      return;
    }
    int onThisMachine = number(ON_THIS_MACHINE, size());
    int usable = Runtime.getRuntime().availableProcessors();
    boolean slowToNotice = System.getenv("OMPI_COMM_WORLD_SIZE") != null && !hasKeepAlives();
    for (String warning : warnings(size(), onThisMachine, threads, chosen, cores(), usable, slowToNotice)) {
      err.println("layerwise: " + warning);
    }
    err.flush();
  }

  /**
   * What a launch should be warned of.
   *
   * @param cores of the machine; 0 if they are not known
   * @param usable how many of them this process may run on
   * @param slowToNotice whether the launcher waits minutes for a machine that does not answer
   */
  static List<String> warnings(
      int processes, int onThisMachine, int threads, boolean chosen, int cores, int usable, boolean slowToNotice) {
    List<String> warnings = new ArrayList<>();
    if (!chosen && usable == 1 && onThisMachine < cores) {
      warnings.add(
          "the launcher has bound each process to one of " + cores + " cores; with mpirun, add --bind-to none or"
              + " --map-by slot:PE=" + cores / onThisMachine);
    } else if (cores > 0 && onThisMachine > cores) {
      warnings.add(onThisMachine + " processes share " + cores + " cores, and will wait for each other; start fewer");
    } else if (cores > 0 && onThisMachine * threads > cores) {
      warnings.add(
          onThisMachine + " processes with " + threads + " threads each share " + cores
              + " cores, and will wait for each other; add --threads " + cores / onThisMachine);
    }
    if (slowToNotice && onThisMachine < processes) {
      warnings.add(
          "mpirun notices a lost machine or a cut network only after 8 minutes; to notice it in seconds, add --mca"
              + " oob_tcp_keepalive_time 2 --mca oob_tcp_keepalive_intvl 1 --mca oob_tcp_keepalive_probes 3");
    }
    return warnings;
  }

  /** Whether Open MPI's launcher was told to test its connections. It gets settings from nowhere but these. */
  private static boolean hasKeepAlives() {
    String setting = "oob_tcp_keepalive_time";
    String home = System.getProperty("user.home");
    Stream<Path> files =
        Stream.of(Path.of(home, ".openmpi/mca-params.conf"), Path.of("/etc/openmpi/openmpi-mca-params.conf"));
    return System.getenv("OMPI_MCA_" + setting) != null || files.anyMatch(file -> sets(file, setting));
  }

  private static boolean sets(Path file, String setting) {
    try {
      return Files.readAllLines(file, StandardCharsets.ISO_8859_1).stream()
          .anyMatch(line -> line.strip().startsWith(setting));
    } catch (IOException e) {
      return false; // there is none
    }
  }

  /** Processors of this machine, whichever this process may use; 0 where they cannot be counted. */
  private static int cores() {
    try (Stream<Path> entries = Files.list(Path.of("/sys/devices/system/cpu"))) {
      return (int) entries.filter(entry -> entry.getFileName().toString().matches("cpu\\d+")).count();
    } catch (IOException e) {
      return 0;
    }
  }
}
