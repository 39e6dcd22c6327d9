package dev.layerwise.data.download;

import dev.layerwise.files.FileErrors;
import java.io.IOException;
import java.net.ConnectException;
import java.net.SocketException;
import java.net.URI;
import java.net.UnknownHostException;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.nio.channels.UnresolvedAddressException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Flow;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;

/** One attempt to get a file, or the rest of it. */
final class Transfer {
  private static final Pattern CONTENT_RANGE = Pattern.compile("bytes (?:(\\d{1,18})-\\d{1,18}|\\*)/(\\d{1,18}|\\*)");
  private static final long MEBIBYTE = 1 << 20;

  private final DownloadSettings settings;
  private final EnvironmentProxies proxies;
  private final HttpClient client;

  Transfer(DownloadSettings settings, EnvironmentProxies proxies) {
    this.settings = settings;
    this.proxies = proxies;
    this.client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).proxy(proxies)
        .followRedirects(HttpClient.Redirect.NEVER).connectTimeout(settings.connectTimeout()).build();
  }

  /**
   * Appends what is missing of the file.
   *
   * @throws TransientFailure if another attempt may help
   * @throws DownloadException if none will
   */
  void run(URI source, PartFile part, String file, DownloadListener listener)
      throws TransientFailure, IOException, InterruptedException {
    Optional<String> validator = part.validator();
    HttpResponse<Flow.Publisher<List<ByteBuffer>>> response = request(source, part.length(), validator);
    HttpHeaders headers = response.headers();
    switch (response.statusCode()) {
      case 200 -> {
        part.restart(headers);
        receive(response, part, headers.firstValueAsLong("Content-Length").orElse(-1), file, listener);
      }
      case 206 -> {
        Range range = range(headers);
        if (validator.isEmpty() || range.start() != part.length()) {
          discard(response);
          part.restart(headers);
          throw new TransientFailure("the server answered with another part of the file than was asked for");
        }
        listener.notice("Going on with " + file + " after " + part.length() / MEBIBYTE + " MiB.");
        receive(response, part, range.total(), file, listener);
      }
      case 416 -> {
        discard(response);
        if (range(headers).total() != part.length()) {
          part.restart(headers);
          throw new TransientFailure("the file on the server is another than before");
        }
      }
      default -> {
        discard(response);
        throw refusal(source, response);
      }
    }
  }

  private void receive(HttpResponse<Flow.Publisher<List<ByteBuffer>>> response, PartFile part, long total, String file,
      DownloadListener listener) throws TransientFailure, IOException, InterruptedException {
    long missing = total - part.length();
    if (missing > part.usableSpace()) {
      discard(response);
      throw new DownloadException("The disk of " + part.path() + " has " + part.usableSpace() / MEBIBYTE
          + " MiB left, where " + file + " needs " + missing / MEBIBYTE + " MiB more; make room, or choose "
          + "another folder.");
    }
    BodyWriter writer = new BodyWriter(part, file, total, listener);
    response.body().subscribe(writer);
    try {
      writer.await(settings.stallTimeout());
    } catch (BodyWriter.WriteException e) {
      throw new DownloadException("Cannot write " + part.path() + ": " + FileErrors.reason((IOException) e.getCause())
          + "; make room, or choose another folder, and run it again.", e);
    } catch (IOException e) {
      throw new TransientFailure("the connection broke after " + part.length() + " bytes"
          + (total < 0 ? "" : " of " + total), e);
    }
    if (total >= 0 && part.length() != total) {
      throw new TransientFailure("the file ended after " + part.length() + " bytes of " + total);
    }
  }

  /** Sends the request, and again wherever it is redirected to. */
  private HttpResponse<Flow.Publisher<List<ByteBuffer>>> request(URI source, long start, Optional<String> validator)
      throws TransientFailure, InterruptedException {
    URI address = source;
    for (int redirects = 0; redirects <= Redirects.MOST; redirects++) {
      HttpRequest.Builder request = HttpRequest.newBuilder(address).timeout(settings.stallTimeout());
      validator.ifPresent(version -> request.header("Range", "bytes=" + start + "-").header("If-Range", version));
      proxies.authorization(address).ifPresent(password -> request.header("Proxy-Authorization", password));
      HttpResponse<Flow.Publisher<List<ByteBuffer>>> response = send(request.build());
      if (!Redirects.isRedirect(response.statusCode())) {
        return response;
      }
      discard(response);
      address = Redirects.follow(address, response.headers().firstValue("Location").orElse(""));
    }
    throw new DownloadException(source + " redirects more than " + Redirects.MOST + " times; try a mirror.");
  }

  private HttpResponse<Flow.Publisher<List<ByteBuffer>>> send(HttpRequest request)
      throws TransientFailure, InterruptedException {
    try {
      return client.send(request, BodyHandlers.ofPublisher());
    } catch (HttpTimeoutException e) {
      throw new TransientFailure("no answer within " + BodyWriter.seconds(settings.stallTimeout()), e);
    } catch (SSLException e) {
      throw new DownloadException(request.uri() + " cannot be reached safely (" + e.getMessage()
          + "); check the date of this machine and its certificates, or try a mirror.", e);
    } catch (IOException e) {
      throw connectionFailure(request.uri(), e);
    }
  }

  private TransientFailure connectionFailure(URI address, IOException failure) {
    String host = proxies.describe(address).map(proxy -> "the proxy " + proxy).orElse(address.getAuthority());
    String advice = "; check the network connection and the proxy settings (http_proxy, https_proxy), try "
        + "a mirror, or use a copy that you have.";
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof UnresolvedAddressException || cause instanceof UnknownHostException) {
        throw new DownloadException("Cannot reach " + host + ": there is no such host, or no network" + advice,
            failure);
      }
    }
    if (failure instanceof ConnectException || failure instanceof SocketException && isUnreachable(failure)) {
      String reason = failure.getMessage() == null ? "the connection was refused" : failure.getMessage();
      throw new DownloadException("Cannot reach " + host + ": " + reason + advice, failure);
    }
    return new TransientFailure("the connection to " + host + " broke", failure);
  }

  private static boolean isUnreachable(IOException failure) {
    return failure.getMessage() != null && failure.getMessage().contains("unreachable");
  }

  private TransientFailure refusal(URI source, HttpResponse<?> response) {
    int status = response.statusCode();
    switch (status) {
      case 408, 429, 500, 502, 503, 504 -> {
        Optional<String> wait = response.headers().firstValue("Retry-After").filter(value -> value.matches("\\d{1,6}"));
        return new TransientFailure("the server is busy or out of order (status " + status + ")",
            wait.map(value -> Duration.ofSeconds(Long.parseLong(value))).orElse(null));
      }
      case 404, 410 -> throw new DownloadException(response.uri() + " is not there (status " + status
          + "); the file may have moved: try a mirror, or use a copy that you have.");
      case 407 -> throw new DownloadException("The proxy " + proxies.describe(source).orElse("") + " asks for a user and"
          + " a password; set http_proxy and https_proxy to http://USER:PASSWORD@HOST:PORT, and for https addresses "
          + "LAYERWISE_JAVA_OPTIONS to -Djdk.http.auth.tunneling.disabledSchemes=.");
      default -> throw new DownloadException(response.uri() + " cannot be downloaded (status " + status
          + "); try a mirror, or use a copy that you have.");
    }
  }

  /**
   * What the header Content-Range says.
   *
   * @param start of the part that is sent; -1 if none is
   * @param total length of the file; -1 if it is not said
   */
  private record Range(long start, long total) {}

  private static Range range(HttpHeaders headers) {
    Matcher match = CONTENT_RANGE.matcher(headers.firstValue("Content-Range").orElse(""));
    if (!match.matches()) {
      return new Range(-1, -1);
    }
    long start = match.group(1) == null ? -1 : Long.parseLong(match.group(1));
    return new Range(start, match.group(2).equals("*") ? -1 : Long.parseLong(match.group(2)));
  }

  /** Frees the connection of a response whose body is of no interest. */
  private static void discard(HttpResponse<Flow.Publisher<List<ByteBuffer>>> response) {
    response.body().subscribe(new Flow.Subscriber<>() {
      @Override
      public void onSubscribe(Flow.Subscription subscription) {
        subscription.cancel();
      }

      @Override
      public void onNext(List<ByteBuffer> buffers) {}

      @Override
      public void onError(Throwable failure) {}

      @Override
      public void onComplete() {}
    });
  }
}
