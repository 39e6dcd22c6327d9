package dev.layerwise.serve;

import dev.layerwise.api.Layer;

/**
 * What is computed of an image; only images with equal tasks share a batch.
 *
 * @param kind classes or features
 * @param layer whose classifier answers, or whose output is given
 */
record Task(Kind kind, Layer layer) {
  enum Kind {
    /** A classifier's outputs, before softmax. */
    CLASSES,
    /** A layer's output. */
    FEATURES
  }
}
