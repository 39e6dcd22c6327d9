package dev.layerwise.recipe;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.DataSets;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.OptimizerConfig;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.train.RunConfig;
import dev.layerwise.train.TrainingConfig;
import java.util.List;

/**
 * One of the published runs. What is not said here is the same for all of them: batches of 128, Adam without weight
 * decay, a quarter of the learning rate at each milestone, batch normalization, and the data set's augmentation.
 *
 * @param name data set, network and loss: {@code cifar100-vgg11b-3x-predsim}
 * @param dataset as {@link DataSets} names it
 * @param loss a local loss, or {@code global} for backpropagation
 * @param publishedError test error in percent of a single run; {@code null} where none has been recorded
 * @param bio whether the local losses are those without backpropagation inside a block
 * @param targetProjSize length of the random projection of a label; bio only
 * @param milestones epochs after which the learning rate falls
 * @param cutoutLength side of the one square cut out of each training image, in pixels; 0 for none
 * @param classesPerBatch as in {@link TrainingConfig}, as is {@code classesPerBatchUntilEpoch}
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
@JsonInclude(JsonInclude.Include.NON_NULL)
public record Preset(
    String name,
    String dataset,
    String loss,
    Double publishedError,
    boolean bio,
    int targetProjSize,
    String model,
    double featMult,
    int numLayers,
    int numHidden,
    String nonlin,
    int dimInDecoder,
    double beta,
    double dropout,
    double lr,
    int epochs,
    List<Integer> milestones,
    int cutoutLength,
    int classesPerBatch,
    int classesPerBatchUntilEpoch) {

  private static final int BATCH_SIZE = 128;
  private static final double LR_DECAY_FACT = 0.25;

  /** The name's middle: {@code vgg11b-3x}, {@code vgg8b-cutout14}. */
  public String network() {
    return name.substring(name.indexOf('-') + 1, name.length() - loss.length() - 1);
  }

  /**
   * The configuration of its run with seed 1 on all cores of the processor.
   *
   * @param data its data set, or another to train on in the same way
   */
  public RunConfig runConfig(DataSetInfo data) {
    boolean backprop = loss.equals("global");
    ModelConfig network =
        new ModelConfig(
            model, featMult, numLayers, numHidden, backprop ? null : loss, backprop, beta, 0, "none",
            bio, bio ? targetProjSize : 128, false, dimInDecoder, true, nonlin, dropout, true, data.channels(),
            data.height(), data.width(), data.classes());
    TrainingConfig training =
        new TrainingConfig(
            data.name(), epochs, BATCH_SIZE, classesPerBatch, classesPerBatchUntilEpoch, lr, milestones, LR_DECAY_FACT,
            data.cropPadding(), data.horizontalFlip(), cutoutLength > 0 ? 1 : 0, cutoutLength, 1);
    return new RunConfig(network, new OptimizerConfig("adam", 0, 0), training, DeviceOptions.of("cpu", 0));
  }
}
