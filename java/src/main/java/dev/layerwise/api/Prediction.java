package dev.layerwise.api;

/**
 * A class that an image may belong to.
 *
 * @param classNumber position among the model's classes, from 0
 * @param className its name
 * @param probability softmax of the classifier's outputs, in [0, 1]; over all classes they sum to 1
 */
public record Prediction(int classNumber, String className, double probability) {}
