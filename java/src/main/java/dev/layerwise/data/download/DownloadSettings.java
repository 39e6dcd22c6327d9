package dev.layerwise.data.download;

import java.time.Duration;

/**
 * How patient a download is.
 *
 * @param connectTimeout how long a server may take to accept a connection
 * @param stallTimeout how long nothing may arrive
 * @param attempts how often a download is begun or gone on with before it is given up
 * @param firstPause before the second attempt; each further pause is twice as long
 * @param longestPause the most that is waited, also where the server asks for more
 */
public record DownloadSettings(
    Duration connectTimeout, Duration stallTimeout, int attempts, Duration firstPause, Duration longestPause) {
  /** Gives up after about two minutes of failures. */
  public static final DownloadSettings DEFAULT = new DownloadSettings(Duration.ofSeconds(20), Duration.ofSeconds(30), 6,
      Duration.ofSeconds(1), Duration.ofSeconds(30));

  /** The pause after an attempt, counted from 1. */
  Duration pauseAfter(int attempt) {
    return atMostLongest(firstPause.multipliedBy(1L << Math.min(attempt - 1, 20)));
  }

  Duration atMostLongest(Duration pause) {
    return pause.compareTo(longestPause) > 0 ? longestPause : pause;
  }
}
