package dev.layerwise.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BatchSliceTest {
  @Test
  void slicesAndWholeBatchesAreAllImagesOnce() {
    for (int images : new int[] {1, 7, 20, 21}) {
      for (int size : new int[] {1, 2, 3, 5}) {
        int[] order = IntStream.range(0, images).toArray();
        assertThat(ofAll(size, slice -> slice.of(order, 4))).containsExactly(order);
        assertThat(ofAll(size, slice -> slice.ofWholeBatches(images, 4))).containsExactly(order);
      }
    }
  }

  private static int[] ofAll(int size, Function<BatchSlice, int[]> part) {
    return IntStream.range(0, size)
        .mapToObj(rank -> part.apply(new BatchSlice(rank, size)))
        .flatMapToInt(Arrays::stream).sorted().toArray();
  }

  @Test
  void processesTakeWholeBatchesInTurns() {
    BatchSlice second = new BatchSlice(1, 3);
    assertThat(second.ofWholeBatches(18, 4)).containsExactly(4, 5, 6, 7, 16, 17);
    assertThat(second.wholeBatch(0)).isEqualTo(1);
    assertThat(second.wholeBatch(1)).isEqualTo(4);
    assertThat(second.ofWholeBatches(4, 4)).isEmpty();
  }
}
