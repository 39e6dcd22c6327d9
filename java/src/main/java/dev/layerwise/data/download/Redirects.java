package dev.layerwise.data.download;

import java.net.URI;

/** Where a redirection may lead. */
final class Redirects {
  /** More than any real server needs. */
  static final int MOST = 5;

  private Redirects() {}

  static boolean isRedirect(int status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  }

  /**
   * The address to go on with.
   *
   * @param location the header Location
   * @throws DownloadException if it is no address, not http or https, or would give up encryption
   */
  static URI follow(URI from, String location) {
    URI to;
    try {
      to = from.resolve(location);
    } catch (IllegalArgumentException e) {
      throw new DownloadException(from + " redirects to what is not an address; try a mirror.", e);
    }
    boolean plain = "http".equalsIgnoreCase(to.getScheme());
    if (to.getHost() == null || !plain && !"https".equalsIgnoreCase(to.getScheme())) {
      throw new DownloadException(from + " redirects to " + to + ", which is not a web address; try a mirror.");
    }
    if (plain && "https".equalsIgnoreCase(from.getScheme())) {
      throw new DownloadException(from + " redirects from https to unencrypted " + to
          + ", which is not followed; try a mirror.");
    }
    return to;
  }
}
