package dev.layerwise.api;

import java.util.Locale;

/** What a hidden block learns from: a loss of its own (Nøkland &amp; Eidnes 2019, section 2). */
public enum LocalLoss {
  /** Cross-entropy of a linear classifier of the block's output. */
  PRED,
  /**
   * Similarity matching: the cosine similarities of a batch's outputs, behind a layer of their own, are to match those of
   * its labels, one-hot; the loss is the mean of the squared differences.
   */
  SIM,
  /** Both: (1 − beta) · prediction + beta · similarity, the published default. */
  PREDSIM;

  /**
   * The name that {@code config.json} and the command line use.
   *
   * @return {@code pred}, {@code sim} or {@code predsim}
   */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
