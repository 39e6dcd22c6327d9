package dev.layerwise.data.download;

/** Is told how a download goes. Calls come from one thread at a time, not always the same. */
public interface DownloadListener {
  /**
   * More of a file has arrived; called often.
   *
   * @param file name of the file
   * @param received bytes, those of an earlier, interrupted download included
   * @param total bytes of the whole file; -1 if the server does not say
   */
  void received(String file, long received, long total);

  /** Something out of the ordinary happened that does not stop the download, in one sentence. */
  void notice(String sentence);
}
