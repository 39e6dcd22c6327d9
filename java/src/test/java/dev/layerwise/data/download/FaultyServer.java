package dev.layerwise.data.download;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** A server on this machine that serves files as servers do, and before that as often as asked in other ways. */
public final class FaultyServer implements AutoCloseable {
  private static final String DATE = "Mon, 01 Jan 2024 00:00:00 GMT";

  private final HttpServer server;
  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final CountDownLatch closing = new CountDownLatch(1);
  private final Map<String, byte[]> files = new ConcurrentHashMap<>();
  private final Queue<Answer> faults = new ConcurrentLinkedQueue<>();
  private final List<Request> requests = new CopyOnWriteArrayList<>();
  private volatile String entityTag = "\"first\"";

  /** A request as it came. */
  public record Request(String path, String range, String ifRange, String authorization) {}

  /** What is done with a request for a file. */
  @FunctionalInterface
  public interface Answer {
    void to(HttpExchange exchange, byte[] file) throws IOException;
  }

  public FaultyServer() {
    try {
      server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    server.setExecutor(threads);
    server.createContext("/", this::handle);
    server.start();
  }

  /** The md5 of a file that is served. */
  public static String md5(byte[] file) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("MD5").digest(file));
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  public URI uri(String path) {
    return URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/" + path);
  }

  public FaultyServer serve(String path, byte[] file) {
    files.put("/" + path, file);
    return this;
  }

  /** Answers the next request in this way; several calls, several requests. */
  public FaultyServer first(Answer fault) {
    faults.add(fault);
    return this;
  }

  /** Null: a date of the last change instead; empty: neither. */
  public FaultyServer entityTag(String tag) {
    entityTag = tag;
    return this;
  }

  public List<Request> requests() {
    return requests;
  }

  public static Answer status(int code, String... headers) {
    return (exchange, file) -> {
      for (int i = 0; i < headers.length; i += 2) {
        exchange.getResponseHeaders().set(headers[i], headers[i + 1]);
      }
      exchange.sendResponseHeaders(code, -1);
    };
  }

  /** Announces the whole file and hangs up after some bytes. */
  public Answer truncated(int length) {
    return (exchange, file) -> {
      sendVersion(exchange);
      exchange.sendResponseHeaders(200, file.length);
      exchange.getResponseBody().write(file, 0, length);
      exchange.getResponseBody().flush();
    };
  }

  /** Sends some bytes, then nothing more, and keeps the connection. */
  public Answer stalled(int length) {
    return (exchange, file) -> {
      sendVersion(exchange);
      exchange.sendResponseHeaders(200, file.length);
      exchange.getResponseBody().write(file, 0, length);
      exchange.getResponseBody().flush();
      waitForClose();
    };
  }

  /** Accepts the request and does not answer. */
  public Answer silent() {
    return (exchange, file) -> waitForClose();
  }

  public Answer corrupted() {
    return (exchange, file) -> {
      byte[] other = file.clone();
      other[other.length / 2] ^= 1;
      serve(exchange, other);
    };
  }

  private void waitForClose() {
    try {
      closing.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void handle(HttpExchange exchange) {
    try (exchange) {
      Headers headers = exchange.getRequestHeaders();
      requests.add(new Request(exchange.getRequestURI().toString(), headers.getFirst("Range"),
          headers.getFirst("If-Range"), headers.getFirst("Proxy-Authorization")));
      byte[] file = files.get(exchange.getRequestURI().getPath());
      Answer fault = faults.poll();
      if (fault != null) {
        fault.to(exchange, file);
      } else if (file == null) {
        exchange.sendResponseHeaders(404, -1);
      } else {
        serve(exchange, file);
      }
    } catch (IOException e) {
      // The other side has hung up, which some tests make it do.
    }
  }

  private void serve(HttpExchange exchange, byte[] file) throws IOException {
    sendVersion(exchange);
    String range = exchange.getRequestHeaders().getFirst("Range");
    String version = exchange.getRequestHeaders().getFirst("If-Range");
    boolean current = version != null && (version.equals(entityTag) || entityTag == null && version.equals(DATE));
    if (range == null || !current) {
      exchange.sendResponseHeaders(200, file.length);
      exchange.getResponseBody().write(file);
      return;
    }
    int start = Integer.parseInt(range.replaceAll("bytes=(\\d+)-", "$1"));
    if (start >= file.length) {
      exchange.getResponseHeaders().set("Content-Range", "bytes */" + file.length);
      exchange.sendResponseHeaders(416, -1);
      return;
    }
    exchange.getResponseHeaders().set("Content-Range",
        "bytes " + start + "-" + (file.length - 1) + "/" + file.length);
    exchange.sendResponseHeaders(206, file.length - start);
    exchange.getResponseBody().write(Arrays.copyOfRange(file, start, file.length));
  }

  private void sendVersion(HttpExchange exchange) {
    if (entityTag == null) {
      exchange.getResponseHeaders().set("Last-Modified", DATE);
    } else if (!entityTag.isEmpty()) {
      exchange.getResponseHeaders().set("ETag", entityTag);
    }
  }

  @Override
  public void close() {
    closing.countDown();
    server.stop(0);
    threads.shutdownNow();
  }
}
