package dev.layerwise.data;

import java.util.Set;

/** The two parts of a data set. */
public enum Part {
  /** Images to learn from. */
  TRAIN,
  /** Images to judge by. */
  TEST;

  static final Set<Part> ALL = Set.of(values());
}
