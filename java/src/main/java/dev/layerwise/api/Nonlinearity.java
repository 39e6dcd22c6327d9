package dev.layerwise.api;

import java.util.Locale;

/** What follows the linear part of a hidden block. */
public enum Nonlinearity {
  /** max(0, x). */
  RELU,
  /** x for positive x, 0.01 · x otherwise. */
  LEAKYRELU;

  /**
   * The name that {@code config.json} and the command line use.
   *
   * @return {@code relu} or {@code leakyrelu}
   */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
