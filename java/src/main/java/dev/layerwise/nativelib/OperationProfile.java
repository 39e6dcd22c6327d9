package dev.layerwise.nativelib;

/**
 * The calls of one operation with equal shapes, together.
 *
 * @param operation as the native library names it
 * @param shapes of its main operands
 * @param seconds of all calls
 * @param fastestSeconds of the quickest
 * @param flops multiplications and additions of convolutions and matrix products, per call
 * @param bytes that one call must move, if every operand is read or written once
 */
public record OperationProfile(
    String operation, String shapes, long calls, double seconds, double fastestSeconds, double flops, double bytes) {

  /** From a line as the native library gives it. */
  static OperationProfile of(String line) {
    String[] parts = line.split("\t");
    return new OperationProfile(
        parts[0], parts[1], Long.parseLong(parts[2]), Double.parseDouble(parts[3]), Double.parseDouble(parts[4]),
        Double.parseDouble(parts[5]), Double.parseDouble(parts[6]));
  }
}
