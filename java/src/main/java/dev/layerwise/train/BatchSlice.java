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

  /** How many of a batch's images are this process's. */
  public int count(int batch) {
    return batch / size + (rank < batch % size ? 1 : 0);
  }
}
