package dev.layerwise.data;

/** Hears how the reading of a data set goes. Called by several threads, but by one at a time. */
public interface ReadingListener {
  /** Hears nothing. */
  ReadingListener NONE =
      new ReadingListener() {
        @Override
        public void read(long bytes, long ofBytes) {}

        @Override
        public void notice(String sentence) {}
      };

  /**
   * Some more was read.
   *
   * @param bytes of the files that have been read so far, packed as they are
   * @param ofBytes that the files have together
   */
  void read(long bytes, long ofBytes);

  /** Something worth knowing, in a clause without a full stop. */
  void notice(String sentence);
}
