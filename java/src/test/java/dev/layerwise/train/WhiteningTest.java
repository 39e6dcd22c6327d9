package dev.layerwise.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.layerwise.data.DataSetInfo;
import dev.layerwise.safetensors.HostTensor;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What the filters give for the patches that they were computed from. */
class WhiteningTest {
  private static final int SIDE = 9;
  private static final int KERNEL = 3;
  private static final int CHANNELS = 2;
  private static final int PATCH = CHANNELS * KERNEL * KERNEL;
  private static final DataSetInfo INFO =
      new DataSetInfo(
          "smooth", "Smooth", CHANNELS, SIDE, SIDE, 1, 1, List.of("a", "b"), new float[] {0.5f, 0.4f},
          new float[] {0.2f, 0.3f}, 0, false, false);

  /** Images whose neighbours are alike, as those of photographs are; the second channel follows the first. */
  private static byte[] image(Random random) {
    byte[] pixels = new byte[CHANNELS * SIDE * SIDE];
    double level = 128;
    for (int i = 0; i < SIDE * SIDE; i++) {
      level = 0.8 * level + 0.2 * 128 + 30 * random.nextGaussian();
      pixels[i] = level(level);
      pixels[SIDE * SIDE + i] = level(0.5 * level + 20 * random.nextGaussian() + 50);
    }
    return pixels;
  }

  private static byte level(double value) {
    return (byte) Math.max(0, Math.min(255, Math.round(value)));
  }

  private static HostTensor filters(int count, long seed) {
    Whitening whitening = new Whitening(INFO, KERNEL, seed);
    Random random = new Random(1);
    for (int i = 0; i < 400; i++) {
      whitening.add(image(random));
    }
    float[] others = new float[count * PATCH];
    Arrays.fill(others, 7);
    return whitening.over(HostTensor.of(new long[] {count, CHANNELS, KERNEL, KERNEL}, others));
  }

  @Test
  void outputsAreUncorrelatedAndOfVarianceOne() {
    float[] weights = filters(2 * PATCH, 3).toFloats();
    double[] sums = new double[PATCH];
    double[][] products = new double[PATCH][PATCH];
    int patches = 0;
    Random random = new Random(1);
    for (int n = 0; n < 400; n++) {
      byte[] pixels = image(random);
      for (int top = 0; top <= SIDE - KERNEL; top++) {
        for (int left = 0; left <= SIDE - KERNEL; left++, patches++) {
          double[] out = outputs(weights, pixels, top, left);
          for (int i = 0; i < PATCH; i++) {
            sums[i] += out[i];
            for (int j = 0; j < PATCH; j++) {
              products[i][j] += out[i] * out[j];
            }
          }
        }
      }
    }
    for (int i = 0; i < PATCH; i++) {
      for (int j = 0; j < PATCH; j++) {
        double covariance = products[i][j] / patches - sums[i] / patches * (sums[j] / patches);
        // 25600 patches were sampled of the 19600 there are: their covariance is off by a few times 1 / sqrt(19600).
        assertThat(covariance).as("covariance of %d and %d", i, j).isCloseTo(i == j ? 1 : 0, within(0.06));
      }
    }
  }

  /** Of the first filter of each pair. */
  private static double[] outputs(float[] weights, byte[] pixels, int top, int left) {
    double[] out = new double[PATCH];
    for (int filter = 0; filter < PATCH; filter++) {
      int at = 2 * filter * PATCH;
      for (int c = 0; c < CHANNELS; c++) {
        for (int y = top; y < top + KERNEL; y++) {
          for (int x = left; x < left + KERNEL; x++, at++) {
            int level = pixels[(c * SIDE + y) * SIDE + x] & 0xff;
            out[filter] += weights[at] * ((level / 255.0 - INFO.mean()[c]) / INFO.deviation()[c]);
          }
        }
      }
    }
    return out;
  }

  @Test
  void eachFilterIsFollowedByItsNegativeAndTheRestStays() {
    float[] weights = filters(2 * PATCH + 3, 3).toFloats();
    for (int pair = 0; pair < PATCH; pair++) {
      for (int i = 0; i < PATCH; i++) {
        assertThat(weights[(2 * pair + 1) * PATCH + i]).isEqualTo(-weights[2 * pair * PATCH + i]);
      }
    }
    for (int i = 2 * PATCH * PATCH; i < weights.length; i++) {
      assertThat(weights[i]).isEqualTo(7);
    }
  }

  @Test
  void fewFiltersAreThoseOfTheLargestEigenvalues() {
    float[] all = filters(2 * PATCH, 3).toFloats();
    float[] few = filters(5, 3).toFloats();
    assertThat(few).containsExactly(Arrays.copyOf(all, few.length));
    double last = 0;
    for (int pair = 0; pair < PATCH; pair++) { // a filter's length is 1 / sqrt(eigenvalue)
      double length = 0;
      for (int i = 0; i < PATCH; i++) {
        length += all[2 * pair * PATCH + i] * all[2 * pair * PATCH + i];
      }
      assertThat(length).isGreaterThanOrEqualTo(last);
      last = length;
    }
  }

  @Test
  void equalSeedsGiveEqualBits() {
    assertThat(filters(6, 3).data()).isEqualTo(filters(6, 3).data()).isNotEqualTo(filters(6, 4).data());
  }
}
