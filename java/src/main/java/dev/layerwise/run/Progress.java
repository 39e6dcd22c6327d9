package dev.layerwise.run;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import dev.layerwise.nativelib.BlockMetrics;
import dev.layerwise.run.TrainingResult.Ending;
import dev.layerwise.settings.Freezing;
import dev.layerwise.settings.Schedule;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;

/**
 * How far a run is; with the weights and the optimizers' state it is all that a resumed run needs.
 *
 * @param epoch the epoch that is under way, counted from 1
 * @param images training images of it that have been seen
 * @param step batches trained since the start of the run
 * @param epochSeconds time spent training in this epoch
 * @param totalSeconds time spent in the run up to here
 * @param sums each block's metrics of this epoch so far, the output layer's last
 * @param frozen hidden blocks that are not trained in this epoch, from the front, whose sums stay those of their last epoch;
 *     {@code null}: none
 * @param plateaus of the hidden blocks, if they are frozen automatically; otherwise {@code null}
 * @param testError after the last finished epoch, in percent; {@code null} before the first
 * @param validationError likewise; {@code null} without images held out
 * @param bestTestError after the best epoch; {@code null} before the first
 * @param bestValidationError likewise; {@code null} without images held out
 * @param bestEpoch the first epoch with the lowest validation error, or without images held out, test error
 */
public record Progress(
    @JsonProperty("epoch") int epoch,
    @JsonProperty("images") int images,
    @JsonProperty("step") long step,
    @JsonProperty("epoch_seconds") double epochSeconds,
    @JsonProperty("total_seconds") double totalSeconds,
    @JsonProperty("sums") List<BlockMetrics> sums,
    @JsonInclude(JsonInclude.Include.NON_NULL) @JsonProperty("frozen") Integer frozen,
    @JsonInclude(JsonInclude.Include.NON_NULL) @JsonProperty("plateaus") List<Plateau> plateaus,
    @JsonProperty("test_error") Double testError,
    @JsonInclude(JsonInclude.Include.NON_NULL) @JsonProperty("validation_error") Double validationError,
    @JsonInclude(JsonInclude.Include.NON_NULL) @JsonProperty("best_test_error") Double bestTestError,
    @JsonInclude(JsonInclude.Include.NON_NULL) @JsonProperty("best_validation_error") Double bestValidationError,
    @JsonInclude(JsonInclude.Include.NON_NULL) @JsonProperty("best_epoch") Integer bestEpoch) {

  /** Throws {@link IllegalArgumentException} for numbers that no run has. */
  public Progress {
    if (epoch < 1 || images < 0 || step < 0) {
      throw new IllegalArgumentException("epoch " + epoch + ", images " + images + ", step " + step);
    }
    sums = List.copyOf(sums);
    int hidden = sums.size() - 1;
    if (frozen != null && (frozen < 0 || frozen > hidden) || plateaus != null && plateaus.size() != hidden) {
      throw new IllegalArgumentException(frozen + " of " + hidden + " hidden blocks frozen");
    }
  }

  /** How many hidden blocks, from the front, are not trained in this epoch. */
  public int frozenBlocks() {
    return frozen == null ? 0 : frozen;
  }

  public static Progress start(int blocks) {
    List<BlockMetrics> none = Collections.nCopies(blocks, BlockMetrics.NONE);
    return new Progress(1, 0, 0, 0, 0, none, null, null, null, null, null, null, null);
  }

  /**
   * Later in the same epoch.
   *
   * @param seconds training time since this
   */
  public Progress later(int imagesThen, long stepThen, double seconds, List<BlockMetrics> sumsThen) {
    return new Progress(
        epoch, imagesThen, stepThen, epochSeconds + seconds, totalSeconds + seconds, sumsThen, frozen, plateaus, testError,
        validationError, bestTestError, bestValidationError, bestEpoch);
  }

  /**
   * The beginning of the next epoch, the one under way having ended like this.
   *
   * @param alpha the unsupervised part of the hidden blocks' losses
   */
  public Progress nextEpoch(EpochReport ended, Freezing freezing, double alpha) {
    List<Plateau> plateausThen = freezing.watchesErrors() ? nextPlateaus(ended, alpha) : null;
    int frozenThen = plateausThen == null ? freezing.frozenAfter(epoch) : nextFrozen(plateausThen);
    List<BlockMetrics> sumsThen = new ArrayList<>(sums.subList(0, frozenThen));
    sumsThen.addAll(Collections.nCopies(sums.size() - frozenThen, BlockMetrics.NONE));
    boolean better = isImprovedBy(ended);
    return new Progress(
        epoch + 1, 0, step, 0, ended.seconds(), sumsThen, frozenThen == 0 ? null : (Integer) frozenThen, plateausThen,
        ended.testError(), ended.validationError(), better ? (Double) ended.testError() : bestTestError,
        better ? ended.validationError() : bestValidationError, better ? (Integer) epoch : bestEpoch);
  }

  /** The same without a best epoch: the next is the best so far. */
  public Progress withoutBest() {
    return new Progress(
        epoch, images, step, epochSeconds, totalSeconds, sums, frozen, plateaus, testError, validationError, null, null, null);
  }

  /** Whether the epoch under way, having ended like this, is the best so far. */
  public boolean isImprovedBy(EpochReport ended) {
    Double best = bestValidationError == null ? bestTestError : bestValidationError;
    return best == null || ended.decidingError() < best;
  }

  private List<Plateau> nextPlateaus(EpochReport ended, double alpha) {
    return IntStream.range(0, sums.size() - 1)
        .mapToObj(
            block -> (plateaus == null ? Plateau.START : plateaus.get(block)).next(ended.blocks().get(block), alpha))
        .toList();
  }

  /** A block that has stopped learning waits for those before it. */
  private int nextFrozen(List<Plateau> plateausThen) {
    int then = frozenBlocks();
    while (then < plateausThen.size() && plateausThen.get(then).isReached()) {
      then++;
    }
    return then;
  }

  private Ending ending(Schedule schedule) {
    return Ending.of(epoch - 1, schedule.epochs(), schedule.patience(), bestEpoch);
  }

  /** Whether nothing is left to train. */
  public boolean isOver(Schedule schedule) {
    return ending(schedule) != null;
  }

  /**
   * What the run has given so far.
   *
   * @param otherwise what ended the session if the run is not over
   * @param modelEpoch the epoch whose model was saved; {@code null}: none was
   */
  public TrainingResult result(Schedule schedule, Ending otherwise, Integer modelEpoch) {
    return new TrainingResult(
        isOver(schedule) ? ending(schedule) : otherwise, epoch - 1, testError, validationError, bestTestError,
        bestValidationError, bestEpoch, modelEpoch, totalSeconds);
  }
}
