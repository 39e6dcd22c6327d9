package dev.layerwise.serve;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.layerwise.LayerwiseException;
import dev.layerwise.api.Model;
import java.io.IOException;
import java.io.InputStream;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;

/**
 * An HTTP server for a model: {@code POST /predict} and {@code POST /embed} with images, {@code GET /model}, {@code /health}
 * and {@code /metrics}. Each request has a thread that reads it, decodes its images and waits for their results; a {@link
 * Batcher} computes the images of all. Everything that a client may have too much of is limited ({@link Limits}).
 */
public final class Server implements AutoCloseable {
  static final String STOPPING = "the server is shutting down";

  private static final int CONNECTIONS_WAITING = 1024;
  /** Threads besides those of accepted requests, to refuse others. */
  private static final int REFUSING_THREADS = 16;
  /** What is read and thrown away of a body that is refused: a client that still writes would not see the answer. */
  private static final long MOST_DISCARDED = 64 << 20;

  private final HttpServer http;
  private final Service service;
  private final Metrics metrics = new Metrics();
  private final RequestThreads threads;
  private final Consumer<String> log;
  private final Map<String, Route> routes = new LinkedHashMap<>();
  private volatile boolean stopping;
  private boolean stopped;

  /** Answers requests of a path. */
  @FunctionalInterface
  private interface Handler {
    Reply answer(HttpExchange exchange) throws IOException, RequestException;
  }

  private record Route(String method, Handler handler) {}

  /**
   * Starts to listen.
   *
   * @param model used until the server is stopped; it stays open
   * @param host name or address that it listens at
   * @param port of TCP; 0: any that is free
   * @param limits of requests
   * @param log told, in a sentence, of what a client cannot help
   * @throws LayerwiseException if it cannot listen there
   */
  public Server(Model model, String host, int port, Limits limits, Consumer<String> log) {
    setDefault("nodelay", "true"); // otherwise the end of an answer waits 40 ms for the client to acknowledge its beginning
    setDefault("maxReqTime", "60"); // seconds in which a request must have arrived
    setDefault("maxRspTime", "300"); // seconds from then on in which its answer must have been taken
    this.log = log;
    http = listen(host, port);
    service = new Service(model, limits, metrics);
    threads = new RequestThreads(limits.queue() + REFUSING_THREADS);
    routes.put("/predict", new Route("POST", service::predict));
    routes.put("/embed", new Route("POST", service::embed));
    routes.put("/model", new Route("GET", exchange -> service.describe()));
    routes.put("/health", new Route("GET", exchange -> Reply.json(Map.of("status", "ok"), 0)));
    routes.put("/metrics", new Route("GET", exchange ->
        Reply.text(Metrics.MEDIA_TYPE, metrics.text(service.underWay(), service.waiting()))));
    http.createContext("/", this::handle);
    http.setExecutor(threads);
    http.start();
  }

  /** Java reads these settings of its server once, when the first one is made. */
  private static void setDefault(String name, String value) {
    String property = "sun.net.httpserver." + name;
    if (System.getProperty(property) == null) {
      System.setProperty(property, value);
    }
  }

  private static HttpServer listen(String host, int port) {
    try {
      return HttpServer.create(new InetSocketAddress(InetAddress.getByName(host), port), CONNECTIONS_WAITING);
    } catch (UnknownHostException e) {
      throw new LayerwiseException("cannot listen at " + host + ": there is no such host", e);
    } catch (BindException e) {
      boolean inUse = String.valueOf(e.getMessage()).contains("in use");
      throw new LayerwiseException(
          inUse ? "port " + port + " of " + host + " is in use by another program; choose another, or 0 for any that is free"
              : "cannot listen at port " + port + " of " + host + ": " + e.getMessage(),
          e);
    } catch (IOException e) {
      throw new LayerwiseException("cannot listen at port " + port + " of " + host + ": " + e.getMessage(), e);
    }
  }

  /** Where the server is: {@code http://127.0.0.1:8080}. */
  public String url() {
    String host = http.getAddress().getAddress().getHostAddress();
    return "http://" + (host.contains(":") ? "[" + host + "]" : host) + ":" + port();
  }

  /** The port that it listens at. */
  public int port() {
    return http.getAddress().getPort();
  }

  /** Requests that have been answered. */
  public long requests() {
    return metrics.requests();
  }

  /** Those of them that were answered with a status of 400 or more, or whose client went away. */
  public long errors() {
    return metrics.errors();
  }

  /** Requests under way. */
  public int active() {
    return threads.active();
  }

  Metrics metrics() {
    return metrics;
  }

  private void handle(HttpExchange exchange) {
    long started = System.nanoTime();
    String path = Objects.requireNonNullElse(exchange.getRequestURI().getPath(), ""); // an opaque URI has none
    int status = Metrics.CLIENT_GONE;
    try (exchange) {
      Reply reply = reply(exchange, routes.get(path), path);
      send(exchange, reply);
      status = reply.status();
      if (reply.images() > 0) {
        metrics.images(path, reply.images());
      }
      if (status >= 400) {
        discard(exchange.getRequestBody());
      }
    } catch (IOException e) {
      // The client has gone away.
    } finally {
      metrics.request(routes.containsKey(path) ? path : "other", status, (System.nanoTime() - started) / 1e9);
    }
  }

  private Reply reply(HttpExchange exchange, Route route, String path) throws IOException {
    try {
      if (stopping) {
        throw new RequestException(503, STOPPING);
      }
      if (route == null) {
        throw new RequestException(
            404, "there is no " + BodyReader.shortened(path) + " here; there are " + String.join(", ", routes.keySet()));
      }
      if (!exchange.getRequestMethod().equals(route.method())) {
        exchange.getResponseHeaders().set("Allow", route.method());
        throw new RequestException(405, path + " takes " + route.method() + " only");
      }
      return route.handler().answer(exchange);
    } catch (RequestException e) {
      return Reply.error(e.status(), e.getMessage());
    } catch (OutOfMemoryError e) {
      log.accept("Java ran out of memory in a request to " + path + "; give it more, or allow fewer and smaller images");
      return Reply.error(503, "the server has too little memory for this request now; send smaller images, or try again later");
    } catch (LayerwiseException e) { // what the images are not at fault for
      log.accept(path + ": " + e.getMessage());
      return Reply.error(500, e.getMessage());
    } catch (RuntimeException e) {
      log.accept("internal error in a request to " + path + ": " + e);
      return Reply.error(500, "internal error; the server's log says more");
    }
  }

  private void send(HttpExchange exchange, Reply reply) throws IOException {
    exchange.getResponseHeaders().set("Content-Type", reply.mediaType());
    if (reply.status() == 503) {
      exchange.getResponseHeaders().set("Retry-After", "1");
    }
    if (stopping) {
      exchange.getResponseHeaders().set("Connection", "close");
    }
    if (exchange.getRequestMethod().equals("HEAD")) { // which has no body
      exchange.sendResponseHeaders(reply.status(), -1);
      return;
    }
    exchange.sendResponseHeaders(reply.status(), reply.body().length);
    exchange.getResponseBody().write(reply.body());
    exchange.getResponseBody().flush();
  }

  private static void discard(InputStream body) throws IOException {
    byte[] some = new byte[1 << 14];
    long discarded = 0;
    for (int count = 0; count >= 0 && discarded < MOST_DISCARDED; count = body.read(some)) {
      discarded += count;
    }
  }

  /**
   * Stops: requests under way are answered, later ones are refused with status 503 until the server is gone.
   *
   * @param patience after which those not answered yet are given up
   * @return how many were given up
   */
  public int stop(Duration patience) {
    if (stopped) {
      return 0;
    }
    stopping = true;
    stopped = true;
    int left = threads.finish(patience);
    threads.close();
    http.stop(0);
    service.close();
    return left;
  }

  /** Stops, and gives up after half a minute. */
  @Override
  public void close() {
    stop(Duration.ofSeconds(30));
  }
}
