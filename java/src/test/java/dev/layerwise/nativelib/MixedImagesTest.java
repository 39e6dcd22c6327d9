package dev.layerwise.nativelib;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.layerwise.settings.Augmentation;
import dev.layerwise.settings.Settings;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Mixup and cutmix as devices do them, against what is drawn here from the same random words. */
class MixedImagesTest {
  private static final int COUNT = 5;
  private static final int CLASSES = 3;
  private static final int HEIGHT = 9;
  private static final int WIDTH = 6;
  private static final int PIXELS = HEIGHT * WIDTH;
  private static final int[] LABELS = {0, 1, 2, 1, 1};
  private static final long SEED = 0x123456789abcdefL;
  private static final int MIXING = 5; // the purpose of the random numbers
  private static final float MEAN = 0.25f;
  private static final float DEVIATION = 0.5f;

  private final byte[] bytes = new byte[COUNT * PIXELS];

  @ParameterizedTest
  @CsvSource({
    "reference, auto, 0.2, 0", "reference, auto, 0, 1", "reference, auto, 0.4, 0.7", "cpu, f32, 0.2, 0", "cpu, f32, 0, 1",
    "cpu, f32, 0.4, 0.7"
  })
  void imagesAndTargetsAreThoseOfTheDraw(String device, String precision, double mixup, double cutmix) {
    new Random(1).nextBytes(bytes);
    Augmentation augmentation = Settings.with(Augmentation.NONE, "mixup", zeroIsNull(mixup), "cutmix", zeroIsNull(cutmix));
    DeviceOptions options = new DeviceOptions(device, 1, precision, "auto", false, "");
    try (NativeContext context = NativeContext.create(options, SEED);
        NativeDataSet data =
            context.dataSet(
                bytes, LABELS, COUNT, 1, HEIGHT, WIDTH, CLASSES, new float[] {MEAN}, new float[] {DEVIATION})) {
      data.choose(IntStream.range(0, COUNT).toArray(), 0, COUNT);
      for (long step = 0; step < 50; step++) {
        context.setStep(step, 0);
        Draw draw = Draw.of(step, mixup, cutmix);
        try (NativeDataSet.Batch batch = data.batch(augmentation)) {
          assertThat(batch.labels().shape()).startsWith(COUNT, CLASSES);
          float[] images = batch.images().read();
          float[] shares = batch.labels().read();
          for (int i = 0; i < COUNT; i++) {
            int other = (i + draw.shift) % COUNT;
            double[] target = new double[CLASSES];
            target[LABELS[i]] += draw.share;
            target[LABELS[other]] += 1 - draw.share;
            for (int k = 0; k < CLASSES; k++) {
              assertThat((double) shares[i * CLASSES + k]).isCloseTo(target[k], within(1e-7));
            }
            for (int pixel = 0; pixel < PIXELS; pixel++) { // two products and a sum of values up to 1.5
              double wanted = draw.mixed(pixel, normalized(i, pixel), normalized(other, pixel));
              assertThat((double) images[i * PIXELS + pixel]).isCloseTo(wanted, within(1e-6));
            }
          }
        }
      }
    }
  }

  private static Double zeroIsNull(double alpha) {
    return alpha == 0 ? null : alpha;
  }

  private double normalized(int image, int pixel) {
    return ((bytes[image * PIXELS + pixel] & 0xff) / 255.0 - MEAN) / DEVIATION;
  }

  /** What a step draws. */
  private record Draw(boolean pastes, double share, int shift, int top, int bottom, int left, int right) {
    static Draw of(long step, double mixup, double cutmix) {
      long[] words = philox(0, step);
      long[] box = philox(1, step);
      boolean pastes = mixup > 0 && cutmix > 0 ? words[0] >= 0x80000000L : cutmix > 0;
      double alpha = pastes ? cutmix : mixup;
      // Student's t with 2α degrees of freedom, and from it Beta(α, α).
      double u = (words[1] + 0.5) / 0x1p32;
      double t = Math.cos(2 * Math.PI * (words[2] + 0.5) / 0x1p32) * Math.sqrt(2 * alpha * (Math.pow(u, -1 / alpha) - 1));
      double number = Math.rint((0.5 + t / (2 * Math.sqrt(2 * alpha + t * t))) * 0x1p24) / 0x1p24;
      int shift = 1 + (int) (words[3] * (COUNT - 1) >>> 32);
      if (!pastes) {
        return new Draw(false, number, shift, 0, 0, 0, 0);
      }
      int row = (int) (box[0] * HEIGHT >>> 32);
      int column = (int) (box[1] * WIDTH >>> 32);
      int halfHeight = (int) (0.5 * Math.sqrt(1 - number) * HEIGHT);
      int halfWidth = (int) (0.5 * Math.sqrt(1 - number) * WIDTH);
      int top = Math.max(row - halfHeight, 0);
      int bottom = Math.min(row + halfHeight, HEIGHT);
      int left = Math.max(column - halfWidth, 0);
      int right = Math.min(column + halfWidth, WIDTH);
      double leftOver = 1 - (double) (bottom - top) * (right - left) / PIXELS;
      return new Draw(true, leftOver, shift, top, bottom, left, right);
    }

    double mixed(int pixel, double own, double other) {
      int row = pixel / WIDTH;
      int column = pixel % WIDTH;
      boolean inBox = row >= top && row < bottom && column >= left && column < right;
      return pastes ? (inBox ? other : own) : share * own + (1 - share) * other;
    }
  }

  /** Philox 4x32-10 of (index, step, purpose and stream 0) under the seed; unsigned words. */
  private static long[] philox(long index, long step) {
    long mask = 0xffffffffL;
    long[] c = {index, step & mask, (step >>> 32 << 8) | MIXING, 0};
    long key0 = SEED & mask;
    long key1 = SEED >>> 32;
    for (int round = 0; round < 10; round++) {
      long product0 = 0xD2511F53L * c[0]; // of 32-bit words: exact but for the sign, which >>> ignores
      long product1 = 0xCD9E8D57L * c[2];
      c = new long[] {(product1 >>> 32) ^ c[1] ^ key0, product1 & mask, (product0 >>> 32) ^ c[3] ^ key1, product0 & mask};
      key0 = (key0 + 0x9E3779B9L) & mask;
      key1 = (key1 + 0xBB67AE85L) & mask;
    }
    return c;
  }
}
