package dev.layerwise.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import dev.layerwise.Json;
import dev.layerwise.LayerwiseException;
import dev.layerwise.files.AtomicFiles;
import dev.layerwise.files.FileErrors;
import dev.layerwise.model.ModelFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The folder of a run: {@code config.json}, {@code data.json} ({@link DataPlace}), {@code sessions.json} ({@link Session}),
 * {@code metrics.jsonl} ({@link MetricsFile}),
 * {@code checkpoint.safetensors} and, at the end, {@code model.safetensors} and {@code evaluation.json} ({@link
 * Evaluation}). While it is open an operating-system lock keeps other runs out; it is gone with the process, however
 * that ends.
 */
public final class RunDirectory implements AutoCloseable {
  private static final ObjectMapper JSON = Json.mapper();

  /** File of a run's configuration. */
  public static final String CONFIG = "config.json";

  private static final String LOCK = ".lock";

  /** All locks, one a line: {@code 1: POSIX ADVISORY WRITE 4711 fd:01:262147 0 EOF}, with the file's number at the end of field 6. */
  private static final Path LOCKS = Path.of("/proc/locks");

  private final Path path;
  private final FileChannel lockFile;
  private final Object lockKey; // which file the lock is: another of that name is not ours

  private RunDirectory(Path path, FileChannel lockFile) throws IOException {
    this.path = path;
    this.lockFile = lockFile;
    lockKey = keyOfLock();
  }

  private Object keyOfLock() throws IOException {
    return Files.readAttributes(path.resolve(LOCK), BasicFileAttributes.class).fileKey();
  }

  /**
   * Makes the folder where it is missing, and locks it.
   *
   * @throws LayerwiseException if it cannot be written, or another run is using it
   */
  public static RunDirectory open(Path path) {
    try {
      Files.createDirectories(path);
      FileChannel channel =
          FileChannel.open(path.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      try {
        FileLock lock = channel.tryLock();
        if (lock == null) {
          channel.close();
          throw inUse(path);
        }
      } catch (OverlappingFileLockException e) {
        channel.close();
        throw inUse(path);
      }
      AtomicFiles.removeLeftovers(path);
      return new RunDirectory(path, channel);
    } catch (IOException e) {
      throw new LayerwiseException(
          "cannot write to the folder " + path + " (" + FileErrors.reason(e) + "); choose another folder", e);
    }
  }

  /**
   * Whether a process of this machine is at work on the run in a folder. Reads what Linux knows of locks: trying to lock
   * the folder would be in the way of a run that begins at that moment.
   */
  public static boolean isInUse(Path folder) {
    try (Stream<String> locks = Files.lines(LOCKS)) {
      String file = ":" + Files.getAttribute(folder.resolve(LOCK), "unix:ino");
      return locks.map(line -> line.split(" +")).anyMatch(
          lock -> lock.length > 5 && lock[3].equals("WRITE") && lock[5].endsWith(file));
    } catch (IOException | UncheckedIOException e) {
      return false; // there is no lock, or nobody knows
    }
  }

  private static LayerwiseException inUse(Path path) {
    return new LayerwiseException("another run is writing to " + path + "; choose another folder, or wait for it");
  }

  /**
   * The folder that a user means.
   *
   * @param run a folder, or a file in it
   */
  public static Path folderOf(Path run) {
    return Files.isDirectory(run) ? run : run.toAbsolutePath().getParent();
  }

  /** Where it is. */
  public Path path() {
    return path;
  }

  /** Whether a run has left a checkpoint or a model here. */
  public boolean holdsRun() {
    return holdsCheckpoint(path) || holdsModel(path);
  }

  /** Whether a folder holds a state to resume from. */
  public static boolean holdsCheckpoint(Path folder) {
    return Files.exists(folder.resolve(Checkpoint.FILE_NAME));
  }

  /** Whether a folder holds the model that a finished run leaves. */
  public static boolean holdsModel(Path folder) {
    return Files.exists(folder.resolve(ModelFile.FILE_NAME));
  }

  /**
   * Throws unless what is here may be replaced by a new run: nothing, or what a run has left that was stopped before its
   * first checkpoint.
   */
  public void requireNoForeignFiles() {
    if (holdsConfig()) {
      return;
    }
    for (String name : List.of(CONFIG, DataPlace.FILE_NAME, MetricsFile.NAME, Evaluation.FILE_NAME)) {
      boolean ours = name.equals(DataPlace.FILE_NAME) && dataPlace(path).isPresent(); // written before the configuration
      if (Files.exists(path.resolve(name)) && !ours) {
        throw new LayerwiseException(
            "the folder " + path + " holds a " + name + " that no run has left, which this one would replace; choose"
                + " another folder");
      }
    }
  }

  private boolean holdsConfig() {
    try {
      return JSON.readValue(path.resolve(CONFIG).toFile(), RunConfig.class) != null;
    } catch (IOException e) {
      return false;
    }
  }

  /** Throws if the folder was removed or replaced since it was opened: another run may be at work there. */
  private void requireOurs() {
    try {
      if (Objects.equals(lockKey, keyOfLock())) {
        return;
      }
    } catch (IOException e) {
      throw new LayerwiseException(
          "cannot write " + path + ": the folder is not there any more (" + FileErrors.reason(e) + ")", e);
    }
    throw new LayerwiseException("the folder " + path + " was replaced by another since the run began");
  }

  /**
   * The configuration of the run in a folder.
   *
   * @throws LayerwiseException if it cannot be read
   */
  public static RunConfig readConfig(Path folder) {
    Path file = folder.resolve(CONFIG);
    try {
      RunConfig config = JSON.readValue(file.toFile(), RunConfig.class);
      if (config != null) {
        return config;
      }
    } catch (JsonProcessingException e) {
      throw new LayerwiseException(file + " is not a run's configuration that this version can read", e);
    } catch (IOException e) {
      throw new LayerwiseException("cannot read " + file + " (" + FileErrors.reason(e) + ")", e);
    }
    throw new LayerwiseException(file + " is damaged: it is empty");
  }

  public void writeConfig(RunConfig config) {
    write(CONFIG, config);
  }

  /** Records where the run's images are. */
  public void writeDataPlace(DataPlace place) {
    write(DataPlace.FILE_NAME, place);
  }

  /** Forgets the sessions of an earlier run, of which a new one takes the place. */
  public void removeSessions() {
    remove(Session.FILE_NAME);
  }

  /** Takes over the sessions of a run in another folder, which goes on in this one. */
  public void adoptSessions(Path other) {
    List<Session> earlier = sessions(other);
    if (!Files.exists(path.resolve(Session.FILE_NAME)) && !earlier.isEmpty()) {
      write(Session.FILE_NAME, earlier);
    }
  }

  /** Records that a session begins now, after those before it. */
  public void addSession(String command, String device) {
    List<Session> sessions = new ArrayList<>(sessions(path));
    sessions.add(Session.begin(command, device));
    write(Session.FILE_NAME, sessions);
  }

  private void write(String name, Object content) {
    requireOurs();
    try {
      byte[] text = JSON.writer().with(SerializationFeature.INDENT_OUTPUT).writeValueAsBytes(content);
      AtomicFiles.write(path.resolve(name), out -> out.write(text));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * Where the images of a run were.
   *
   * @param run its folder, or a file in it
   * @return empty if that was not recorded, or cannot be read: then they have to be found as for a new run
   */
  public static Optional<DataPlace> dataPlace(Path run) {
    try {
      return Optional.ofNullable(JSON.readValue(folderOf(run).resolve(DataPlace.FILE_NAME).toFile(), DataPlace.class));
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /**
   * The sessions of the run in a folder.
   *
   * @return none if they were not recorded, or cannot be read
   */
  public static List<Session> sessions(Path folder) {
    try {
      return Session.whole(Arrays.asList(JSON.readValue(folder.resolve(Session.FILE_NAME).toFile(), Session[].class)));
    } catch (IOException | NullPointerException e) { // a file that says null
      return List.of();
    }
  }

  /** A checkpoint that takes the place of the last one when it is finished. */
  public AtomicFiles.Unfinished beginCheckpoint(Checkpoint checkpoint) {
    requireOurs();
    return checkpoint.begin(path.resolve(Checkpoint.FILE_NAME));
  }

  public void writeModel(ModelFile model) {
    requireOurs();
    model.write(path.resolve(ModelFile.FILE_NAME));
  }

  /** Writes what the run's model predicts, whole or not at all. */
  public void writeEvaluation(Evaluation evaluation) {
    try {
      byte[] text = JSON.writeValueAsBytes(evaluation);
      AtomicFiles.write(path.resolve(Evaluation.FILE_NAME), out -> out.write(text));
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Removes what an earlier model predicted, if it is there. */
  public void removeEvaluation() {
    remove(Evaluation.FILE_NAME);
  }

  private void remove(String name) {
    Path file = path.resolve(name);
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      throw new LayerwiseException("cannot remove " + file + " (" + FileErrors.reason(e) + ")", e);
    }
  }

  /** Removes what the start of a run has written, as far as that can be done. */
  public void discardStart() {
    try {
      requireOurs();
      for (String name : List.of(Checkpoint.FILE_NAME, CONFIG, DataPlace.FILE_NAME, MetricsFile.NAME, Session.FILE_NAME)) {
        Files.deleteIfExists(path.resolve(name));
      }
      for (Path events : TensorBoardLog.filesIn(path)) {
        Files.deleteIfExists(events);
      }
      Path steps = TensorBoardSteps.folder(path);
      if (Files.isDirectory(steps)) {
        for (Path events : TensorBoardLog.filesIn(steps)) {
          Files.deleteIfExists(events);
        }
        Files.deleteIfExists(steps); // not if something else is there
      }
    } catch (IOException | LayerwiseException e) {
      return; // why the run has failed matters more; the next start says what is wrong with the folder
    }
  }

  public void appendMetrics(EpochReport report) {
    requireOurs();
    metrics().append(report);
  }

  /** The epochs so far. */
  public MetricsFile metrics() {
    return new MetricsFile(path);
  }

  @Override
  public void close() {
    try {
      lockFile.close();
    } catch (IOException e) {
      throw new LayerwiseException("cannot release the lock on " + path, e);
    }
  }
}
