/** Models and features as other programs read them: ONNX and NumPy. */
package dev.layerwise.export;
