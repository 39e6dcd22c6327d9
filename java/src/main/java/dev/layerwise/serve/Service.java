package dev.layerwise.serve;

import com.sun.net.httpserver.HttpExchange;
import dev.layerwise.LayerwiseException;
import dev.layerwise.api.Layer;
import dev.layerwise.api.Model;
import dev.layerwise.data.stream.ImageReader;
import java.io.IOException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;

/** What the server does with images: reads them, has them computed and puts the results into an answer. */
final class Service implements AutoCloseable {
  private static final String BUSY = "the server has as many requests as it takes at a time; try again later";

  private final Model model;
  private final Limits limits;
  private final BodyReader bodies;
  private final Batcher batcher;
  /** Images that may still come under way. */
  private final Semaphore room;
  /** KiB of encoded images that may still be read. */
  private final Semaphore memory;
  /** Decoding an image takes a core, and memory for all of its pixels. */
  private final Semaphore decoders = new Semaphore(Runtime.getRuntime().availableProcessors());

  private record Predictions(List<Guess> predictions) {}

  private record PredictAnswer(String layer, List<Predictions> results) {}

  private record Features(float[] features) {}

  /** @param shape of an image's features: channels, height, width; the features are flattened in this order */
  private record EmbedAnswer(String layer, int[] shape, List<Features> results) {}

  private record LayerDescription(int number, String name, int[] output, boolean classifies) {}

  /** @param input channels, height and width of what the network sees; images are resized to it */
  private record ModelDescription(String dataset, int[] input, List<String> classes, List<LayerDescription> layers) {}

  Service(Model model, Limits limits, Metrics metrics) {
    this.model = model;
    this.limits = limits;
    bodies = new BodyReader(limits);
    room = new Semaphore(limits.queue());
    batcher = new Batcher(this::compute, limits, this::underWay, metrics::batch);
    // A quarter of the heap, but always one body.
    long bytes = Math.max(Runtime.getRuntime().maxMemory() / 4, limits.maxBody());
    memory = new Semaphore((int) Math.min(Integer.MAX_VALUE, kib(bytes)));
  }

  private static long kib(long bytes) {
    return (bytes + 1023) >> 10;
  }

  private float[][] compute(Task task, byte[] pixels, int count) {
    return switch (task.kind()) {
      case CLASSES -> model.classify(pixels, count, task.layer().name());
      case FEATURES -> model.features(pixels, count, task.layer().name());
    };
  }

  /** Images of all requests, from the first byte that is read to the last that is computed. */
  int underWay() {
    return limits.queue() - room.availablePermits();
  }

  /** Those of them that wait for their batch. */
  int waiting() {
    return batcher.waiting();
  }

  /** Answers with the likeliest classes of each image. */
  Reply predict(HttpExchange exchange) throws IOException, RequestException {
    Map<String, String> parameters = parameters(exchange, List.of("layer", "top_k"));
    Layer layer = layer(parameters, model.outputLayer());
    if (!layer.classifies()) {
      throw new RequestException(400, layer.name() + " has no classifier to predict with");
    }
    int count = topK(parameters.get("top_k"));
    List<Predictions> results = new ArrayList<>();
    for (float[] outputs : rows(exchange, new Task(Task.Kind.CLASSES, layer))) {
      results.add(new Predictions(Guess.of(model.ranked(Model.softmax(outputs)), count)));
    }
    return Reply.json(new PredictAnswer(layer.name(), results), results.size());
  }

  /** Answers with a layer's output for each image. */
  Reply embed(HttpExchange exchange) throws IOException, RequestException {
    Layer layer = layer(parameters(exchange, List.of("layer")), model.featureLayer());
    List<Features> results = rows(exchange, new Task(Task.Kind.FEATURES, layer)).stream().map(Features::new).toList();
    return Reply.json(new EmbedAnswer(layer.name(), shape(layer), results), results.size());
  }

  /** Answers with what a client must know of the model. */
  Reply describe() {
    List<LayerDescription> layers =
        model.layers().stream()
            .map(layer -> new LayerDescription(layer.number(), layer.name(), shape(layer), layer.classifies())).toList();
    int[] input = {model.channels(), model.height(), model.width()};
    return Reply.json(new ModelDescription(model.dataSet(), input, model.classNames(), layers), 0);
  }

  private static int[] shape(Layer layer) {
    return new int[] {layer.channels(), layer.height(), layer.width()};
  }

  private static Map<String, String> parameters(HttpExchange exchange, List<String> known) throws RequestException {
    Map<String, String> parameters = new HashMap<>();
    String query = exchange.getRequestURI().getRawQuery();
    if (query == null || query.isEmpty()) {
      return parameters;
    }
    for (String pair : query.split("&")) {
      String[] parts = pair.split("=", 2);
      if (!known.contains(parts[0])) {
        throw new RequestException(
            400, "there is no parameter " + BodyReader.shortened(parts[0]) + " here; there is " + String.join(" and ", known));
      }
      try {
        parameters.put(parts[0], parts.length == 1 ? "" : URLDecoder.decode(parts[1], StandardCharsets.UTF_8));
      } catch (IllegalArgumentException e) {
        throw new RequestException(400, "the value of " + parts[0] + " is not encoded as URLs are");
      }
    }
    return parameters;
  }

  private Layer layer(Map<String, String> parameters, Layer usual) throws RequestException {
    String asked = parameters.get("layer");
    try {
      return asked == null ? usual : model.layer(asked);
    } catch (LayerwiseException e) {
      throw new RequestException(400, e.getMessage());
    }
  }

  private static int topK(String text) throws RequestException {
    if (text == null) {
      return 1;
    }
    if (!text.matches("[1-9][0-9]{0,6}")) {
      throw new RequestException(400, "top_k must be a positive whole number, not " + BodyReader.shortened(text));
    }
    return Integer.parseInt(text);
  }

  private List<float[]> rows(HttpExchange exchange, Task task) throws IOException, RequestException {
    int held = take(room, 1, BUSY);
    try {
      List<byte[]> images;
      long length = length(exchange);
      int reserved =
          take(memory, (int) kib(length < 0 ? limits.maxBody() : Math.min(length, limits.maxBody())),
              "the server reads as many large images as its memory holds; try again later");
      try {
        List<byte[]> encoded =
            bodies.read(exchange.getRequestBody(), exchange.getRequestHeaders().getFirst("Content-Type"), length);
        held += take(room, encoded.size() - 1, BUSY);
        images = decode(encoded);
      } finally {
        memory.release(reserved);
      }
      List<float[]> rows = new ArrayList<>();
      for (CompletableFuture<float[]> row : batcher.submit(task, images)) {
        rows.add(row.get());
      }
      return rows;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new RequestException(503, Server.STOPPING);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw (RuntimeException) e.getCause(); // a batcher has no others
    } finally {
      room.release(held);
    }
  }

  private static int take(Semaphore semaphore, int count, String otherwise) throws RequestException {
    if (!semaphore.tryAcquire(count)) {
      throw new RequestException(503, otherwise);
    }
    return count;
  }

  /** What the headers promise; -1 if they do not. */
  private static long length(HttpExchange exchange) throws RequestException {
    String encoding = exchange.getRequestHeaders().getFirst("Content-Encoding");
    if (encoding != null && !encoding.equalsIgnoreCase("identity")) {
      throw new RequestException(415, "bodies must not be compressed; send it without a Content-Encoding");
    }
    String length = exchange.getRequestHeaders().getFirst("Content-Length");
    return length == null || !length.matches("[0-9]{1,18}") ? -1 : Long.parseLong(length);
  }

  private List<byte[]> decode(List<byte[]> encoded) throws RequestException, InterruptedException {
    List<byte[]> images = new ArrayList<>();
    for (byte[] image : encoded) {
      decoders.acquire();
      try {
        ImageReader.Size size = ImageReader.size(image);
        if (size.pixels() > limits.maxPixels()) {
          throw new RequestException(
              413,
              place(images.size(), encoded) + "the image has " + size.width() + "×" + size.height()
                  + " pixels; this server takes at most " + limits.maxPixels());
        }
        images.add(model.decode(image));
      } catch (LayerwiseException e) {
        throw new RequestException(400, place(images.size(), encoded) + e.getMessage());
      } finally {
        decoders.release();
      }
    }
    return images;
  }

  /** Where there are several images: which one. */
  private static String place(int position, List<byte[]> encoded) {
    return encoded.size() == 1 ? "" : "images[" + position + "]: ";
  }

  /** Waits until what was queued has been computed. */
  @Override
  public void close() {
    batcher.close();
  }
}
