package dev.layerwise.train;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.ImageSet;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeDataSet;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Images outside Java's heap, which devices may use where they are, give the batches of those that are copied. */
class ResidentFeedTest {
  private static final int COUNT = 5;
  private static final int SIDE = 3;

  @ParameterizedTest
  @CsvSource({"reference, 1", "reference, 3", "cpu, 1", "cpu, 2", "cpu, 3"})
  void whereTheyLieChangesNothing(String device, int channels) {
    float[] mean = new float[channels];
    float[] deviation = new float[channels];
    byte[] pixels = new byte[COUNT * channels * SIDE * SIDE];
    for (int i = 0; i < pixels.length; i++) {
      pixels[i] = (byte) (7 * i);
    }
    for (int c = 0; c < channels; c++) {
      mean[c] = 0.1f * c;
      deviation[c] = 0.5f + c;
    }
    int[] labels = {0, 1, 0, 1, 1};
    DataSetInfo info =
        new DataSetInfo(
            "own", "Own", channels, SIDE, SIDE, COUNT, COUNT, List.of("a", "b"), mean, deviation, 0, false, false);
    ImageSet heap = new ImageSet(pixels, labels, channels, SIDE, SIDE, 2);
    ByteBuffer outside = ByteBuffer.allocateDirect(pixels.length).put(pixels).flip();
    ImageSet direct = new ImageSet(outside, labels, channels, SIDE, SIDE, 2);
    try (NativeContext context = NativeContext.create(device, 1, 0)) {
      assertThat(batch(context, direct, info)).isEqualTo(batch(context, heap, info));
    }
  }

  private static float[] batch(NativeContext context, ImageSet images, DataSetInfo info) {
    try (ImageFeed feed = new ResidentFeed(context, images, info);
        ImageFeed.Pass pass = feed.pass(new int[] {3, 0, 4}, 0, 3, BatchSlice.WHOLE, 1, null)) {
      assertThat(pass.advance()).isTrue();
      try (NativeDataSet.Batch batch = pass.batch()) {
        return batch.images().read();
      }
    }
  }
}
