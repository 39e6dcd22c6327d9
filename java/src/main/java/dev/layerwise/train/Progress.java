package dev.layerwise.train;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Collections;
import java.util.List;

/**
 * How far a run is; with the weights and the optimizers' state it is all that a resumed run needs.
 *
 * @param epoch the epoch that is under way, counted from 1
 * @param images training images of it that have been seen
 * @param step batches trained since the start of the run
 * @param epochSeconds time spent training in this epoch
 * @param totalSeconds time spent in the run up to here
 * @param sums each block's metrics of this epoch so far, the output layer's last
 * @param testError after the last finished epoch, in percent; {@code null} before the first
 */
record Progress(
    @JsonProperty("epoch") int epoch,
    @JsonProperty("images") int images,
    @JsonProperty("step") long step,
    @JsonProperty("epoch_seconds") double epochSeconds,
    @JsonProperty("total_seconds") double totalSeconds,
    @JsonProperty("sums") List<MetricSums> sums,
    @JsonProperty("test_error") Double testError) {

  Progress {
    sums = List.copyOf(sums);
  }

  static Progress start(int blocks) {
    return new Progress(1, 0, 0, 0, 0, Collections.nCopies(blocks, MetricSums.NONE), null);
  }

  /** What the run has given so far, if it is to have so many epochs. */
  TrainingResult result(int epochs) {
    return new TrainingResult(epoch > epochs, epoch - 1, testError, totalSeconds);
  }
}
