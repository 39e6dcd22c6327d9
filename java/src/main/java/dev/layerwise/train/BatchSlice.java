package dev.layerwise.train;

import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * The part of every batch that one of several processes has. The processes' parts follow each other in the order of their
 * ranks, and differ by one image at most; the first have more.
 *
 * @param rank the process's number, from 0
 * @param size how many processes there are
 */
public record BatchSlice(int rank, int size) {
  /** All of every batch, for a process that is alone. */
  public static final BatchSlice WHOLE = new BatchSlice(0, 1);

  boolean isWhole() {
    return size == 1;
  }

  /** Where in a batch of so many images this process's begin. */
  public int begin(int batch) {
    return rank * (batch / size) + Math.min(rank, batch % size);
  }

  /** This process's images of batch after batch, the last of which may be smaller. */
  int[] of(int[] order, int batchSize) {
    return IntStream.range(0, (order.length + batchSize - 1) / batchSize)
        .flatMap(
            number -> {
              int from = number * batchSize;
              int batch = Math.min(batchSize, order.length - from);
              return Arrays.stream(order, from + begin(batch), from + begin(batch) + count(batch));
            })
        .toArray();
  }

  /**
   * The images of the batches that this process has whole: of all batches, those whose numbers are its rank, rank + size,
   * rank + 2·size and so on. What is not computed together, as in an evaluation, has the same bits as in one process then.
   *
   * @param images how many there are
   */
  public int[] ofWholeBatches(int images, int batchSize) {
    return IntStream.range(0, images).filter(image -> image / batchSize % size == rank).toArray();
  }

  /**
   * The number that a whole batch of this process has among all batches.
   *
   * @param own its number among this process's
   */
  public int wholeBatch(int own) {
    return own * size + rank;
  }

  /** How many of a batch's images are this process's. */
  public int count(int batch) {
    return batch / size + (rank < batch % size ? 1 : 0);
  }
}
