/**
 * The native library as Java objects: a {@link dev.layerwise.nativelib.NativeContext} is a device, what
 * it creates lives on it.
 *
 * <p>Everything here is {@link AutoCloseable} and freed by {@code close} alone, never by the garbage
 * collector; closing twice does nothing, use after close throws {@link
 * dev.layerwise.nativelib.InvalidStateException}. Closing a context closes what it created. Calls on one
 * context take turns; different contexts are independent. Host arrays are float32 in PyTorch's order:
 * activations (N, C, H, W), weights (O, I, KH, KW).
 *
 * <p>A failure of the native library becomes one of this package's exceptions, all of them unchecked and
 * {@link dev.layerwise.LayerwiseException}s. This is the only package that knows of JavaCPP.
 */
package dev.layerwise.nativelib;
