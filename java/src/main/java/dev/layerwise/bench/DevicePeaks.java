package dev.layerwise.bench;

import dev.layerwise.nativelib.BlockConfig;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.NativeBlock;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeTensor;
import dev.layerwise.nativelib.OperationProfile;
import dev.layerwise.nativelib.generated.LayerwiseApi.BlockKind;
import java.util.Map;
import java.util.Random;
import java.util.function.ToDoubleFunction;

/**
 * What a device was seen to do at best, here and now: the floor under an operation's time. Measured on random numbers,
 * by the device's own clock: on zeros a GPU uses less power and is faster than it is in training.
 *
 * @param flopsPerSecond in a large matrix product in the precision of activations
 * @param bytesPerSecond in adding two large arrays
 */
public record DevicePeaks(double flopsPerSecond, double bytesPerSecond) {
  private static final int REPETITIONS = 7;

  /** Measures, on a context of its own. */
  public static DevicePeaks measure(DeviceOptions device) {
    boolean gpu = device.device().startsWith("cuda") && !device.device().equals("cuda-on-host");
    int side = gpu ? 8192 : device.device().equals("cpu") ? 2048 : 128;
    int elements = gpu ? 1 << 28 : device.device().equals("cpu") ? 1 << 25 : 1 << 16;
    try (NativeContext context = NativeContext.profiled(device, 1)) {
      multiply(context, side);
      add(context, elements);
      return new DevicePeaks(
          rate(context, "convolution_forward", OperationProfile::flops),
          rate(context, "add_tensor", OperationProfile::bytes));
    }
  }

  /** The least time in which that much can be done. */
  public double floorSeconds(double flops, double bytes) {
    return Math.max(flops / flopsPerSecond, bytes / bytesPerSecond);
  }

  private static void multiply(NativeContext context, int side) {
    BlockConfig config =
        new BlockConfig("product", BlockKind.LAYERWISE_LINEAR).shapes(side, 1, 1, side).losses(Map.of("loss", "none"));
    try (NativeBlock block = context.block(config);
        NativeTensor x = context.tensor(random(side * side), side, side, 1, 1)) {
      for (int i = 0; i < REPETITIONS; i++) {
        block.evaluate(x, null, null).close();
      }
    }
  }

  private static void add(NativeContext context, int elements) {
    int channels = 1 << 12;
    float[] values = random(elements);
    try (NativeTensor sum = context.tensor(values, elements / channels, channels, 1, 1);
        NativeTensor addend = context.tensor(values, elements / channels, channels, 1, 1)) {
      for (int i = 0; i < REPETITIONS; i++) {
        sum.add(addend);
      }
    }
  }

  /** Numbers in [-1, 1): some thousand, again and again. The length is a power of two. */
  private static float[] random(int length) {
    Random random = new Random(1);
    float[] values = new float[length];
    int drawn = Math.min(length, 1 << 16);
    for (int i = 0; i < drawn; i++) {
      values[i] = 2 * random.nextFloat() - 1;
    }
    for (int filled = drawn; filled < length; filled *= 2) {
      System.arraycopy(values, 0, values, filled, filled);
    }
    return values;
  }

  private static double rate(
      NativeContext context, String operation, ToDoubleFunction<OperationProfile> work) {
    return context.profile().stream()
        .filter(profile -> profile.operation().equals(operation))
        .mapToDouble(profile -> work.applyAsDouble(profile) / profile.fastestSeconds())
        .max()
        .orElseThrow();
  }
}
