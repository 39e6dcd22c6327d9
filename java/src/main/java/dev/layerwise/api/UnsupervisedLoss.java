package dev.layerwise.api;

import java.util.Locale;

/** A local loss that needs no labels, beside a {@link LocalLoss}. */
public enum UnsupervisedLoss {
  /** Similarities of a batch's outputs are to match those of the block's inputs. */
  SIM,
  /** The block's input is to be reconstructed from its output. */
  RECON;

  /**
   * The name that {@code config.json} and the command line use.
   *
   * @return {@code sim} or {@code recon}
   */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
