package dev.layerwise.api;

import java.util.Locale;

/** The rule by which every block updates its parameters. */
public enum Optimizer {
  /** Adam (Kingma &amp; Ba 2015), the published default. Weight decay is added to the gradient. */
  ADAM,
  /** Adam with decoupled weight decay (Loshchilov &amp; Hutter 2019): it is taken from the parameter itself. */
  ADAMW,
  /** Adam that divides by the largest second moment so far (Reddi et al. 2018). */
  AMSGRAD,
  /** Stochastic gradient descent, with momentum if it has some. */
  SGD;

  /**
   * The name that {@code config.json} and the command line use.
   *
   * @return {@code adam}, {@code adamw}, {@code amsgrad} or {@code sgd}
   */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
