import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.layerwise.LayerwiseException;
import dev.layerwise.api.Layer;
import dev.layerwise.api.Model;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * A web service that turns images into features: POST a JPEG or PNG file to /embed and get a JSON array back. One model
 * serves all requests. It has a copy of the network for each core, and requests wait while all copies are busy.
 *
 * <pre>curl --data-binary @image.png http://localhost:8080/embed</pre>
 */
public final class EmbedService {
  private static final int MOST_BYTES = 16 << 20;

  private final Model model;
  private final Layer layer;

  private EmbedService(Model model) {
    this.model = model;
    layer = model.featureLayer();
  }

  /** Arguments: the model (a run's folder or its model.safetensors) and the port; 0 takes any free port. */
  public static void main(String[] args) throws IOException {
    // Otherwise the last packet of an answer waits 40 ms for the client to acknowledge those before it.
    System.setProperty("sun.net.httpserver.nodelay", "true");
    Model model = Model.open(Path.of(args[0]), Model.Options.service());
    int port = args.length > 1 ? Integer.parseInt(args[1]) : 8080;
    HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
    ExecutorService threads = Executors.newFixedThreadPool(2 * Runtime.getRuntime().availableProcessors());
    server.setExecutor(threads);
    server.createContext("/embed", new EmbedService(model)::embed);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      server.stop(1);
      threads.shutdown();
      model.close(); // waits for running calls
    }));
    server.start();
    System.out.println("listening on http://localhost:" + server.getAddress().getPort() + "/embed");
  }

  private void embed(HttpExchange exchange) throws IOException {
    try (exchange) {
      if (!exchange.getRequestMethod().equals("POST")) {
        answer(exchange, 405, "POST an image");
        return;
      }
      byte[] encoded = exchange.getRequestBody().readNBytes(MOST_BYTES + 1);
      if (encoded.length > MOST_BYTES) {
        answer(exchange, 413, "the image is larger than 16 MiB");
        return;
      }
      try {
        float[] features = model.features(model.decode(encoded), 1, layer.name())[0];
        answer(exchange, 200, Arrays.toString(features));
      } catch (LayerwiseException e) { // not a readable image
        answer(exchange, 400, e.getMessage());
      }
    }
  }

  private static void answer(HttpExchange exchange, int status, String text) throws IOException {
    byte[] body = (text + "\n").getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", status == 200 ? "application/json" : "text/plain; charset=utf-8");
    exchange.sendResponseHeaders(status, body.length);
    exchange.getResponseBody().write(body);
  }
}
