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

/** Where a run writes its results, where it starts from, and when it stops. */
final class RunOptions {
  static final String CONFIG = "--config";

  private static final Pattern TIME =
      Pattern.compile("(?:(\\d{1,4})d)?(?:(\\d{1,5})h)?(?:(\\d{1,6})m)?(?:(\\d{1,7})s)?");
  private static final Pattern EPOCHS = Pattern.compile("(\\d{1,7})");
  private static final Pattern STEPS = Pattern.compile("(\\d{1,12})steps");

  @Option(
      names = CONFIG,
      paramLabel = "FILE",
      description = "Settings from a JSON file, such as a run's config.json, which repeats that run. Other options override"
          + " them; they override those of --preset. Not with --resume. Default: none.")
  Path config;

  @Option(
      names = {"--out", "--save-dir"},
      paramLabel = "DIR",
      description = "Folder for config.json, metrics.jsonl, checkpoint.safetensors and model.safetensors."
          + " Default: runs/DATASET-MODEL-LOSS or runs/PRESET, with a number appended if that folder exists.")
  Path out;

  @Option(
      names = "--resume",
      paramLabel = "RUN",
      arity = "0..1",
      fallbackValue = "",
      description = "Continue this run (its folder or checkpoint; without a value, the run in --out): a stopped one, or a"
          + " finished one with more --epochs. The images must be the same as at its start. Default: start a new run.")
  Path resume;

  @Option(
      names = "--init",
      paramLabel = "WEIGHTS",
      description = "Start from these weights: another run's folder or model.safetensors, or a safetensors file (F32, F64,"
          + " F16 or BF16) with the names of PyTorch's state_dict. Default: random weights.")
  Path init;

  @Option(
      names = "--init-partial",
      description = "With --init: take the weights whose name and shape fit, leave the others random, and list on stderr"
          + " what was not taken. Default: off; all must fit.")
  boolean initPartial;

  @Option(
      names = "--whiten",
      description = "Let the first convolution start with filters that whiten patches of the training images: per"
          + " eigenvector of the patches' covariance one filter and its negative. They are then trained as usual. Not with"
          + " --init. Default: off.")
  boolean whiten;

  @Option(
      names = "--patience",
      paramLabel = "N",
      description = "End the run when the error on the images held out with --validation, or without them the test error,"
          + " has not improved for N epochs, and keep the model of the best one; 0: train all epochs. Default: 0; a"
          + " resumed run keeps its patience.")
  Integer patience;

  @Option(
      names = "--time-limit",
      paramLabel = "TIME",
      converter = TimeConverter.class,
      description = "Stop after the step in which this time, such as 90s, 30m or 1h30m, is up; the run can be resumed."
          + " Default: no limit.")
  Duration timeLimit;

  @Option(
      names = "--checkpoint-every",
      paramLabel = "N|Nsteps|TIME",
      converter = ScheduleConverter.class,
      description = "Write a checkpoint every N epochs, every N steps, or every TIME, such as 10m. A run always writes one"
          + " when it ends or stops. Default: after every epoch and every 15 minutes, but less often where checkpoints would"
          + " take more than a twentieth of the time.")
  CheckpointSchedule checkpointEvery;

  @Option(
      names = "--tensorboard",
      description = "Also write the metrics and the run's settings as TensorBoard event files to the run's folder, and the training loss"
          + " about every 50 batches to its folder steps. Default: off; a resumed run"
          + " keeps its choice.")
  boolean tensorBoard;

  SessionSettings settings(String command) {
    return new SessionSettings(timeLimit, Checks.or(checkpointEvery, CheckpointSchedule.DEFAULT), tensorBoard, command);
  }

  /** Reads durations such as {@code 1d2h3m4s}; any part may be missing. */
  static final class TimeConverter implements ITypeConverter<Duration> {
    @Override
    public Duration convert(String text) {
      Duration time = time(text);
      if (time == null) {
        throw new TypeConversionException("'" + text + "' is not a duration such as 90s, 30m or 1h30m");
      }
      return time;
    }
  }

  /** Reads numbers of epochs, numbers of steps, and durations. */
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
          "'" + text + "' is not a number of epochs such as 5, of steps such as 200steps, or a duration such as 10m");
    }
  }

  /** {@code null} if the text is not a duration, or the duration is zero. */
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
