package dev.layerwise.train;

import dev.layerwise.run.EpochReport;
import java.util.List;

/**
 * An epoch under way. Losses and errors are means over the epoch's images so far; NaN before the first.
 *
 * @param epoch counted from 1
 * @param images training images seen in this epoch
 * @param ofImages how many it has
 * @param trainLoss global cross-entropy
 * @param trainError in percent
 * @param blocks the hidden blocks, as in an {@link EpochReport}
 */
public record EpochProgress(
    int epoch, int epochs, int images, int ofImages, double trainLoss, double trainError,
    List<EpochReport.BlockReport> blocks) {}
