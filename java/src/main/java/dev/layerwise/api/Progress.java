package dev.layerwise.api;

import dev.layerwise.train.EpochProgress;
import java.util.List;

/**
 * An epoch under way. Losses and errors are means over the epoch's images so far; NaN before the first.
 *
 * @param epoch counted from 1
 * @param epochs how many there are to be
 * @param images training images seen in this epoch
 * @param ofImages how many it has
 * @param trainLoss cross-entropy of the output layer
 * @param trainError of the output layer, in percent
 * @param layers the hidden blocks
 */
public record Progress(
    int epoch, int epochs, int images, int ofImages, double trainLoss, double trainError,
    List<Epoch.LayerResult> layers) {

  static Progress of(EpochProgress progress) {
    return new Progress(
        progress.epoch(), progress.epochs(), progress.images(), progress.ofImages(), progress.trainLoss(),
        progress.trainError(), Epoch.layers(progress.blocks()));
  }
}
