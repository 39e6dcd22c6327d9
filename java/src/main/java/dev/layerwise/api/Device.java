package dev.layerwise.api;

import dev.layerwise.nativelib.DeviceOptions;
import java.util.Objects;

/**
 * A device and how it computes. All of it decides the bits of a result.
 *
 * @param name {@code cpu}, {@code cuda}, {@code cuda:1}, {@code reference} (plain loops, float64; slow), or {@code auto}: the
 *     first GPU that works, otherwise the CPU
 * @param threads computing threads of the CPU; 0: one per core
 * @param precision of activations, and of weights as they are multiplied
 * @param engine which implementation of the operations runs; every device has {@code auto}
 * @param tf32 whether float32 products may be rounded to ten bits of mantissa, on devices that can
 */
public record Device(String name, int threads, Precision precision, String engine, boolean tf32) {
  /**
   * Nothing may be missing. Whether there is such a device is found out when it is used.
   *
   * @param name of the device
   * @param threads computing threads of the CPU
   * @param precision of activations and weights
   * @param engine of the operations
   * @param tf32 whether products may be rounded
   */
  public Device {
    Objects.requireNonNull(name);
    Objects.requireNonNull(precision);
    Objects.requireNonNull(engine);
  }

  /**
   * A device that chooses for itself how it computes.
   *
   * @param name of the device
   * @param threads computing threads of the CPU; 0: one per core
   * @return the device
   */
  public static Device of(String name, int threads) {
    return new Device(name, threads, Precision.AUTO, "auto", false);
  }

  /**
   * The same device with another precision.
   *
   * @param other which it is
   * @return the device
   */
  public Device with(Precision other) {
    return new Device(name, threads, other, engine, tf32);
  }

  static Device of(DeviceOptions options) {
    return new Device(
        options.device(), options.threads(), Precision.named(options.precision()), options.engine(), options.tf32());
  }

  DeviceOptions options() {
    return new DeviceOptions(name, threads, precision.toString(), engine, tf32, "");
  }
}
