package dev.layerwise.export;

/**
 * The average pooling in front of a local classifier; its windows do not overlap, and padding counts in the averages.
 * The rule is the native library's (block/pooling_rule.cpp), that of the published code.
 */
record LocalPooling(int kernelHeight, int kernelWidth, int paddingHeight, int paddingWidth) {
  static final LocalPooling NONE = new LocalPooling(1, 1, 0, 0);

  /** Doubles the window's height, then its width, alternately, until the features fit the limit. */
  static LocalPooling of(int channels, int height, int width, int limit) {
    int kernelHeight = 1;
    int kernelWidth = 1;
    while (features(channels, height, width, kernelHeight, kernelWidth) > limit && kernelHeight < height) {
      kernelHeight *= 2;
      if (features(channels, height, width, kernelHeight, kernelWidth) > limit) {
        kernelWidth *= 2;
      }
    }
    return new LocalPooling(
        kernelHeight, kernelWidth, height % kernelHeight == 0 ? 0 : kernelHeight / 2,
        width % kernelWidth == 0 ? 0 : kernelWidth / 2);
  }

  private static long features(int channels, int height, int width, int kernelHeight, int kernelWidth) {
    long rows = (height + kernelHeight - 1) / kernelHeight;
    long columns = (width + kernelWidth - 1) / kernelWidth;
    return channels * rows * columns;
  }

  boolean isIdentity() {
    return kernelHeight == 1 && kernelWidth == 1;
  }
}
