package dev.layerwise.api;

import dev.layerwise.data.DataSet;
import dev.layerwise.run.EpochReport;
import dev.layerwise.run.RunConfig;
import dev.layerwise.run.TrainingResult;
import dev.layerwise.train.EpochProgress;
import dev.layerwise.train.TrainingSession;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;

/** Passes on what happens in a run to those who want to know it. */
final class TrainerListeners implements TrainingSession.Reporter {
  private Consumer<Epoch> epochs = epoch -> { };
  private Consumer<Progress> progress;
  private Duration interval;
  private Consumer<String> weights = summary -> { };

  void epochs(Consumer<Epoch> consumer) {
    epochs = Objects.requireNonNull(consumer);
  }

  void progress(Duration atLeast, Consumer<Progress> consumer) {
    interval = Objects.requireNonNull(atLeast);
    progress = Objects.requireNonNull(consumer);
  }

  /** Is told in sentences which weights of a file were taken. */
  void weights(Consumer<String> consumer) {
    weights = Objects.requireNonNull(consumer);
  }

  @Override
  public void tookWeights(List<String> summary) {
    summary.forEach(weights);
  }

  @Override
  public void started(RunConfig config, DataSet<?> images, Path folder, Integer epoch, double done) {}

  @Override
  public Duration progressInterval() {
    return interval;
  }

  @Override
  public void progressed(EpochProgress at) {
    progress.accept(Progress.of(at));
  }

  @Override
  public void epochEnded(EpochReport report) {
    epochs.accept(Epoch.of(report));
  }

  @Override
  public void ended(TrainingResult result, Path folder) {}
}
