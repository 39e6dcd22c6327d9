package dev.layerwise.cli;

import dev.layerwise.train.CheckpointSchedule;
import dev.layerwise.train.SessionSettings;
import java.nio.file.Path;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** Where results go, where a run goes on, and when it stops. */
final class RunOptions {
  private static final Pattern TIME =
      Pattern.compile("(?:(\\d{1,4})d)?(?:(\\d{1,5})h)?(?:(\\d{1,6})m)?(?:(\\d{1,7})s)?");
  private static final Pattern EPOCHS = Pattern.compile("(\\d{1,7})");
  private static final Pattern STEPS = Pattern.compile("(\\d{1,12})steps");

  @Option(
      names = {"--out", "--save-dir"},
      paramLabel = "DIR",
      description = "Folder for config.json, metrics.jsonl, checkpoint.safetensors and model.safetensors."
          + " Default: runs/DATASET-MODEL-LOSS or runs/PRESET, with a number if that is taken.")
  Path out;

  @Option(
      names = "--resume",
      paramLabel = "RUN",
      arity = "0..1",
      fallbackValue = "",
      description = "Continue a stopped run, or a finished one with more --epochs: its folder or checkpoint; without a"
          + " value, the one in --out. Its images must be those that it was started with. Default: start a new run.")
  Path resume;

  @Option(
      names = "--init",
      paramLabel = "WEIGHTS",
      description = "Start from these weights instead of random ones: a safetensors file (F32, F64, F16 or BF16) with"
          + " the names of PyTorch's state_dict, such as another run's model.safetensors, or that run's folder."
          + " Default: random weights.")
  Path init;

  @Option(
      names = "--init-partial",
      description = "With --init: take the weights that fit the network in name and shape, leave the others random, and"
          + " list on stderr what was not taken. Default: off; all must fit.")
  boolean initPartial;

  @Option(
      names = "--patience",
      paramLabel = "N",
      description = "End the run when the test error has not improved for N epochs; 0: only after the last. A resumed"
          + " run keeps its patience unless another is given. Default: 0.")
  Integer patience;

  @Option(
      names = "--time-limit",
      paramLabel = "TIME",
      converter = TimeConverter.class,
      description = "Stop after the step during which so much time, such as 90s, 30m or 1h30m, has passed; the run can"
          + " be continued. Default: no limit.")
  Duration timeLimit;

  @Option(
      names = "--checkpoint-every",
      paramLabel = "N|Nsteps|TIME",
      converter = ScheduleConverter.class,
      description = "Write a checkpoint every N epochs, every N steps, or when so much time, such as 10m, has passed."
          + " There is always one at the end and where a run is stopped. Default: 1.")
  CheckpointSchedule checkpointEvery;

  @Option(
      names = "--tensorboard",
      description = "Write the metrics as event files for TensorBoard too, into the run's folder. Default: off, or as"
          + " before in a continued run.")
  boolean tensorBoard;

  SessionSettings settings() {
    return new SessionSettings(timeLimit, Checks.or(checkpointEvery, CheckpointSchedule.EVERY_EPOCH), tensorBoard);
  }

  /** Reads {@code 1d2h3m4s} and parts of it. */
  static final class TimeConverter implements ITypeConverter<Duration> {
    @Override
    public Duration convert(String text) {
      Duration time = time(text);
      if (time == null) {
        throw new TypeConversionException("'" + text + "' is no time such as 90s, 30m or 1h30m");
      }
      return time;
    }
  }

  /** Reads numbers of epochs, numbers of steps, and times. */
  static final class ScheduleConverter implements ITypeConverter<CheckpointSchedule> {
    @Override
    public CheckpointSchedule convert(String text) {
      Matcher epochs = EPOCHS.matcher(text);
      Matcher steps = STEPS.matcher(text);
      Duration time = time(text);
      if (epochs.matches() && Integer.parseInt(text) > 0) {
        return new CheckpointSchedule(Integer.parseInt(text), 0, null);
      }
      if (steps.matches() && Long.parseLong(steps.group(1)) > 0) {
        return new CheckpointSchedule(0, Long.parseLong(steps.group(1)), null);
      }
      if (time != null) {
        return new CheckpointSchedule(0, 0, time);
      }
      throw new TypeConversionException(
          "'" + text + "' is no number of epochs such as 5, of steps such as 200steps, and no time such as 10m");
    }
  }

  /** {@code null} if the text is no time, or none at all. */
  private static Duration time(String text) {
    Matcher parts = TIME.matcher(text);
    if (!parts.matches()) {
      return null;
    }
    Duration time =
        Duration.ofDays(number(parts.group(1)))
            .plusHours(number(parts.group(2)))
            .plusMinutes(number(parts.group(3)))
            .plusSeconds(number(parts.group(4)));
    return time.isZero() ? null : time;
  }

  private static long number(String digits) {
    return digits == null ? 0 : Long.parseLong(digits);
  }
}
