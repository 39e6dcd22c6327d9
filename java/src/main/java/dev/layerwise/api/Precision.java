package dev.layerwise.api;

import java.util.Arrays;

/** The numbers that a device computes with: those of activations, and of weights as they are multiplied. */
public enum Precision {
  /** What the device is fastest with; a network that was trained in float32 is not rounded. */
  AUTO("auto"),
  /** 32-bit floating point (IEEE 754 binary32). */
  FLOAT32("f32"),
  /** Brain floating point: the upper half of a float32, with 8 bits of mantissa. Sums stay float32. */
  BFLOAT16("bf16"),
  /** 64-bit floating point (IEEE 754 binary64): what the device {@code reference} has, and no other. */
  FLOAT64("f64");

  private final String setting;

  Precision(String setting) {
    this.setting = setting;
  }

  /**
   * The name that {@code config.json} and the command line use.
   *
   * @return {@code auto}, {@code f32}, {@code bf16} or {@code f64}
   */
  @Override
  public String toString() {
    return setting;
  }

  /**
   * The precision of a name.
   *
   * @param name as {@link #toString} gives it
   * @return the precision
   * @throws IllegalArgumentException if there is none of that name
   */
  public static Precision named(String name) {
    return Arrays.stream(values())
        .filter(precision -> precision.setting.equals(name))
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException("no precision is called " + name));
  }
}
