package dev.layerwise.nativelib;

import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.settings.Settings;
import java.util.List;
import java.util.Objects;

/**
 * A device and how it computes. All of it decides the bits of a result.
 *
 * @param device its name: {@code cpu}, {@code cuda}, {@code reference}, or {@link #AUTO} until it is opened
 * @param threads computing threads of the CPU; 0: one per core
 * @param precision of activations, and of weights as they are multiplied: {@code auto}, {@code f32}, {@code bf16};
 *     {@code f64} is what the reference device has
 * @param engine which implementation of the operations runs; every device has {@code auto}
 * @param tf32 whether float32 products may be rounded to ten bits of mantissa, on devices that can
 * @param engineChoices what {@link NativeContext#engineChoices} gave for an earlier run, to be obeyed; or empty
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
@Settings.Group
public record DeviceOptions(
    String device, int threads, String precision, String engine, boolean tf32, String engineChoices) {

  /** The device that {@link DeviceChoice} takes. */
  public static final String AUTO = "auto";

  /** What can be asked for; the order is that of the native library's numbers, after which f64 follows. */
  public static final List<String> PRECISIONS = List.of("auto", "f32", "bf16");

  /** Throws {@link NullPointerException} if a name is missing. */
  public DeviceOptions {
    Objects.requireNonNull(device);
    Objects.requireNonNull(precision);
    Objects.requireNonNull(engine);
    Objects.requireNonNull(engineChoices);
  }

  /** A device that chooses for itself how it computes. */
  public static DeviceOptions of(String device, int threads) {
    return new DeviceOptions(device, threads, "auto", "auto", false, "");
  }

  /** The same on another device. */
  public DeviceOptions withDevice(String other) {
    return new DeviceOptions(other, threads, precision, engine, tf32, engineChoices);
  }

  /** The same with another precision. */
  public DeviceOptions withPrecision(String other) {
    return new DeviceOptions(device, threads, other, engine, tf32, engineChoices);
  }

  /** The same with what an earlier run found out. */
  public DeviceOptions withEngineChoices(String choices) {
    return new DeviceOptions(device, threads, precision, engine, tf32, choices);
  }
}
