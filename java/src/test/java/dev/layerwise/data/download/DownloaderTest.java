package dev.layerwise.data.download;

import static dev.layerwise.data.download.FaultyServer.md5;
import static dev.layerwise.data.download.FaultyServer.status;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class DownloaderTest {
  /** Quick, so that tests are; a stall must still be longer than a busy machine's pauses. */
  private static final DownloadSettings QUICK = new DownloadSettings(Duration.ofSeconds(10), Duration.ofSeconds(1), 3,
      Duration.ofMillis(5), Duration.ofMillis(20));
  private static final byte[] FILE = new byte[300_000];

  static {
    new Random(7).nextBytes(FILE);
  }

  @TempDir
  Path folder;

  private final FaultyServer server = new FaultyServer();
  private final List<String> notices = new ArrayList<>();
  private final List<Long> received = new ArrayList<>();
  private Path target;

  @BeforeEach
  void serveFile() {
    server.serve("file", FILE);
    target = folder.resolve("file");
  }

  @AfterEach
  void stopServer() {
    server.close();
  }

  @Test
  void wholeFileAndItsProgress() throws IOException {
    download("file");
    assertWhole();
    assertThat(notices).isEmpty();
    assertThat(received).isSorted().endsWith((long) FILE.length);
  }

  @Test
  void replacesAnOlderFile() throws IOException {
    Files.writeString(target, "old");
    download("file");
    assertWhole();
  }

  @Test
  void goesOnAfterATruncatedAnswer() throws IOException {
    server.first(server.truncated(100_000));
    download("file");
    assertWhole();
    assertThat(server.requests()).hasSize(2);
    assertThat(server.requests().get(1).ifRange()).isEqualTo("\"first\"");
    assertThat(rangeStart(1)).isPositive().isLessThanOrEqualTo(100_000);
    assertThat(notices).hasSize(2).first().asString()
        .contains("the connection broke after", "of 300000", "trying again");
  }

  @Test
  void goesOnInALaterRun() throws IOException {
    server.first(server.truncated(100_000)).first(status(404));
    assertThatThrownBy(() -> download("file")).isInstanceOf(DownloadException.class);
    assertThat(target).doesNotExist();
    assertThat(folder.resolve("file.part")).exists();
    download("file");
    assertWhole();
    assertThat(rangeStart(2)).isPositive();
  }

  @Test
  void goesOnByDateWhereThereIsNoStrongTag() throws IOException {
    server.entityTag(null).first(server.truncated(100_000));
    download("file");
    assertWhole();
    assertThat(server.requests().get(1).ifRange()).startsWith("Mon, 01 Jan");
  }

  @Test
  void beginsAnewWhereVersionsCannotBeToldApart() throws IOException {
    for (String tag : new String[] {"", "W/\"weak\""}) {
      server.entityTag(tag).first(server.truncated(100_000));
      download("file");
      assertWhole();
      assertThat(server.requests()).last().extracting(FaultyServer.Request::range).isNull();
    }
  }

  @Test
  void beginsAnewWhenTheFileHasChanged() throws IOException {
    server.first(server.truncated(100_000)).first(status(404));
    assertThatThrownBy(() -> download("file")).isInstanceOf(DownloadException.class);
    byte[] part = new byte[50_000];
    Files.write(folder.resolve("file.part"), part);
    server.entityTag("\"second\"");
    download("file");
    assertWhole();
    assertThat(rangeStart(2)).isEqualTo(50_000);
  }

  @Test
  void damagedPartIsDownloadedOnceMore() throws IOException {
    Files.write(folder.resolve("file.part"), new byte[50_000]);
    Files.writeString(folder.resolve("file.part.validator"), "\"first\"");
    download("file");
    assertWhole();
    assertThat(notices).last().asString().contains("from the beginning");
  }

  @Test
  void partThatIsWholeOrTooLong() throws IOException {
    Files.writeString(folder.resolve("file.part.validator"), "\"first\"");
    Files.write(folder.resolve("file.part"), FILE);
    download("file");
    assertWhole();
    Files.writeString(folder.resolve("file.part.validator"), "\"first\"");
    Files.write(folder.resolve("file.part"), new byte[FILE.length + 1]);
    download("file");
    assertWhole();
  }

  @Test
  void corruptedFileIsNotKept() {
    server.first(server.corrupted());
    assertThatThrownBy(() -> download("file")).isInstanceOf(DownloadException.class).message()
        .contains("changed or damaged on its way", "md5", md5(FILE), "try a mirror").endsWith(".");
    assertThat(folder).isEmptyDirectory();
  }

  @Test
  void stallsAreEnded() throws IOException {
    server.first(server.stalled(100_000));
    download("file");
    assertWhole();
    assertThat(notices).first().asString().contains("nothing arrived for 1 s");
    assertThat(rangeStart(1)).isPositive();
  }

  @Test
  void serverThatDoesNotAnswer() throws IOException {
    server.first(server.silent());
    download("file");
    assertWhole();
    assertThat(notices).first().asString().contains("no answer within 1 s");
  }

  @Test
  void busyServerIsAskedAgain() throws IOException {
    server.first(status(503)).first(status(503, "Retry-After", "0"));
    download("file");
    assertWhole();
    assertThat(notices).hasSize(2).first().asString().contains("busy or out of order (status 503)", "again in 5 ms");
    assertThat(notices.get(1)).contains("again in 0 s");
  }

  @Test
  void busyServerIsNotAskedForEver() {
    server.first(status(503)).first(status(500)).first(status(503));
    assertThatThrownBy(() -> download("file")).isInstanceOf(DownloadException.class).message()
        .contains("Gave up", "after 3 attempts", "status 503", "try a mirror").endsWith(".");
    assertThat(server.requests()).hasSize(3);
  }

  @Test
  void missingFile() {
    assertThatThrownBy(() -> download("nothing")).isInstanceOf(DownloadException.class).message()
        .contains("/nothing is not there (status 404)", "try a mirror", "use a copy that you have");
    assertThat(server.requests()).hasSize(1);
  }

  @Test
  void otherRefusals() {
    server.first(status(403));
    assertThatThrownBy(() -> download("file")).message().contains("cannot be downloaded (status 403)");
  }

  @Test
  void followsRedirects() throws IOException {
    server.first(status(301, "Location", "/other")).first(status(302, "Location", server.uri("file").toString()));
    download("start");
    assertWhole();
    assertThat(server.requests()).extracting(FaultyServer.Request::path).containsExactly("/start", "/other", "/file");
  }

  @Test
  void redirectsInACircle() {
    for (int i = 0; i <= Redirects.MOST; i++) {
      server.first(status(302, "Location", "/file"));
    }
    assertThatThrownBy(() -> download("file")).isInstanceOf(DownloadException.class)
        .hasMessageContaining("redirects more than 5 times");
  }

  @Test
  void rangeThatWasNotAskedFor() throws IOException {
    server.first(server.truncated(100_000)).first((exchange, file) -> {
      exchange.getResponseHeaders().set("Content-Range", "bytes 7-9/300000");
      exchange.getResponseHeaders().set("ETag", "\"first\"");
      exchange.sendResponseHeaders(206, 3);
      exchange.getResponseBody().write(new byte[3]);
    });
    download("file");
    assertWhole();
  }

  @Test
  void connectionReset() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 10, InetAddress.getLoopbackAddress())) {
      Thread resetting = new Thread(() -> {
        while (!socket.isClosed()) {
          try (Socket connection = socket.accept()) {
            connection.getInputStream().read();
            connection.setSoLinger(true, 0);
          } catch (IOException e) {
            // Closed at the end of the test.
          }
        }
      });
      resetting.start();
      URI uri = URI.create("http://127.0.0.1:" + socket.getLocalPort() + "/file");
      assertThatThrownBy(() -> downloader(Map.of()).download(uri, target, md5(FILE), listener())).message()
          .contains("Gave up", "after 3 attempts", "the connection to 127.0.0.1:" + socket.getLocalPort() + " broke");
    }
  }

  @Test
  void nobodyListens() throws IOException {
    int port;
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      port = socket.getLocalPort();
    }
    URI uri = URI.create("http://127.0.0.1:" + port + "/file");
    assertThatThrownBy(() -> downloader(Map.of()).download(uri, target, md5(FILE), listener()))
        .isInstanceOf(DownloadException.class).message()
        .contains("Cannot reach 127.0.0.1:" + port, "network connection", "proxy settings", "try a mirror", "use a copy that you have");
    assertThat(notices).isEmpty();
  }

  @Test
  void unknownHost() {
    URI uri = URI.create("http://layerwise-test.invalid/file");
    assertThatThrownBy(() -> downloader(Map.of()).download(uri, target, md5(FILE), listener()))
        .isInstanceOf(DownloadException.class).message()
        .contains("Cannot reach layerwise-test.invalid", "no such host, or no network", "use a copy that you have");
  }

  @Test
  void goesThroughTheProxyOfTheEnvironment() throws IOException {
    Map<String, String> environment = Map.of("http_proxy",
        server.uri("").toString().replace("http://", "http://user:secret@"), "no_proxy", "localhost");
    URI uri = URI.create("http://layerwise-test.invalid/file");
    downloader(environment).download(uri, target, md5(FILE), listener());
    assertWhole();
    assertThat(server.requests()).singleElement().satisfies(request -> {
      assertThat(request.path()).isEqualTo("http://layerwise-test.invalid/file");
      assertThat(request.authorization()).isEqualTo("Basic dXNlcjpzZWNyZXQ=");
    });
  }

  @Test
  void proxyThatAsksForAPassword() {
    server.first(status(407, "Proxy-Authenticate", "Basic realm=\"test\""));
    URI uri = URI.create("http://layerwise-test.invalid/file");
    Map<String, String> environment = Map.of("http_proxy", server.uri("").toString());
    assertThatThrownBy(() -> downloader(environment).download(uri, target, md5(FILE), listener())).message()
        .contains("The proxy 127.0.0.1:" + server.uri("").getPort() + " asks for a user and a password");
  }

  @Test
  void fullDisk() throws IOException {
    assumeTrue(Files.exists(Path.of("/dev/full")), "needs /dev/full");
    Files.createSymbolicLink(folder.resolve("file.part"), Path.of("/dev/full"));
    assertThatThrownBy(() -> download("file")).isInstanceOf(DownloadException.class).message()
        .contains("Cannot write", "file.part: No space left on device", "another folder");
  }

  @Test
  void fileThatTheDiskCannotHold() {
    server.first((exchange, file) -> {
      exchange.getResponseHeaders().set("Content-Length", Long.toString(1L << 60));
      exchange.sendResponseHeaders(200, 1L << 60);
    });
    assertThatThrownBy(() -> download("file")).isInstanceOf(DownloadException.class).message()
        .contains("MiB left", "MiB more", "another folder");
  }

  @Test
  void folderThatCannotBeWritten() {
    assertThatThrownBy(() -> downloader(Map.of()).download(server.uri("file"), folder.resolve("no/file"), md5(FILE),
        listener())).isInstanceOf(DownloadException.class).message().contains("Cannot write", "no such file or folder");
  }

  private void download(String path) {
    downloader(Map.of()).download(server.uri(path), target, md5(FILE), listener());
  }

  private static Downloader downloader(Map<String, String> environment) {
    return new Downloader(QUICK, environment, null);
  }

  private DownloadListener listener() {
    return new DownloadListener() {
      @Override
      public void received(String file, long bytes, long total) {
        assertThat(file).isEqualTo("file");
        assertThat(total).isEqualTo(FILE.length);
        received.add(bytes);
      }

      @Override
      public void notice(String sentence) {
        notices.add(sentence);
      }
    };
  }

  private int rangeStart(int request) {
    return Integer.parseInt(server.requests().get(request).range().replaceAll("\\D", ""));
  }

  private void assertWhole() throws IOException {
    assertThat(Arrays.equals(Files.readAllBytes(target), FILE)).isTrue();
    assertThat(folder.toFile().list()).containsExactly("file");
  }
}
