package dev.layerwise.data.download;

import dev.layerwise.files.FileErrors;
import java.io.IOException;
import java.net.ProxySelector;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.Map;

/**
 * Downloads files over HTTP. A file has its name only when it is whole and its checksum is right; until then what has
 * arrived lies beside it as FILE.part, and a later download goes on from there if the server still has the same
 * version.
 */
public final class Downloader {
  private final DownloadSettings settings;
  private final Transfer transfer;

  /** A downloader that follows Java's proxy settings and those of the process's environment. */
  public Downloader() {
    this(DownloadSettings.DEFAULT, System.getenv(), ProxySelector.getDefault());
  }

  /**
   * A downloader.
   *
   * @param environment variables, of which http_proxy, https_proxy, all_proxy and no_proxy matter
   * @param javaProxies asked before the environment; null for none
   */
  public Downloader(DownloadSettings settings, Map<String, String> environment, ProxySelector javaProxies) {
    this.settings = settings;
    this.transfer = new Transfer(settings, new EnvironmentProxies(environment, javaProxies));
  }

  /**
   * Downloads a file, or what is missing of it.
   *
   * @param target replaced if it is there; its folder must exist
   * @param md5 of the whole file, in lower-case hexadecimal digits
   * @throws DownloadException if it cannot be had; says why and what to do
   */
  public void download(URI source, Path target, String md5, DownloadListener listener) {
    try {
      boolean resumed = Files.exists(PartFile.of(target));
      transferWithRetries(source, target, listener);
      String actual = Checksums.md5(PartFile.of(target));
      if (resumed && !actual.equals(md5)) {
        listener.notice(target.getFileName() + " is not what it should be after going on with an earlier download; "
            + "downloading it from the beginning.");
        PartFile.discard(target);
        transferWithRetries(source, target, listener);
        actual = Checksums.md5(PartFile.of(target));
      }
      if (!actual.equals(md5)) {
        PartFile.discard(target);
        throw new DownloadException(source + " was changed or damaged on its way: its md5 is " + actual + " instead of "
            + md5 + "; try again later, or try a mirror.");
      }
      Files.move(PartFile.of(target), target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      PartFile.discard(target);
    } catch (IOException e) {
      throw new DownloadException("Cannot write " + target + ": " + FileErrors.reason(e)
          + "; make room or correct the folder's permissions, or choose another folder.", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DownloadException("The download of " + source + " was interrupted; run it again to go on.", e);
    }
  }

  private void transferWithRetries(URI source, Path target, DownloadListener listener)
      throws IOException, InterruptedException {
    for (int attempt = 1; ; attempt++) {
      try (PartFile part = PartFile.open(target)) {
        transfer.run(source, part, target.getFileName().toString(), listener);
        return;
      } catch (TransientFailure e) {
        if (attempt >= settings.attempts()) {
          throw new DownloadException("Gave up on " + source + " after " + attempt + " attempts: " + e.getMessage()
              + "; run it again to go on where it stopped, or try a mirror.", e);
        }
        Duration pause = settings.atMostLongest(e.waitOr(settings.pauseAfter(attempt)));
        listener.notice(source + ": " + e.getMessage() + "; trying again in " + BodyWriter.seconds(pause) + ".");
        Thread.sleep(pause.toMillis());
      }
    }
  }
}
