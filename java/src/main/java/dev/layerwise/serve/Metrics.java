package dev.layerwise.serve;

import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.DoubleAdder;
import java.util.concurrent.atomic.LongAdder;

/** What a server has done so far, in Prometheus' text format (version 0.0.4). */
final class Metrics {
  /** The format's media type. */
  static final String MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8";
  /** The status of a request whose client went away; it is nginx's. */
  static final int CLIENT_GONE = 499;

  private static final double[] SECONDS = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30
  };
  private static final double[] BATCH_SIZES = {1, 2, 4, 8, 16, 32, 64, 128, 256};

  private final Map<String, LongAdder> requests = new ConcurrentSkipListMap<>();
  private final Map<String, LongAdder> images = new ConcurrentSkipListMap<>();
  private final Map<String, Histogram> seconds = new ConcurrentSkipListMap<>();
  private final Histogram batches = new Histogram(BATCH_SIZES);

  /** Counts per bucket; the last has what is above all bounds. */
  private static final class Histogram {
    private final double[] bounds;
    private final LongAdder[] counts;
    private final DoubleAdder sum = new DoubleAdder();

    Histogram(double[] bounds) {
      this.bounds = bounds;
      counts = new LongAdder[bounds.length + 1];
      Arrays.setAll(counts, i -> new LongAdder());
    }

    void add(double value) {
      int found = Arrays.binarySearch(bounds, value);
      counts[found < 0 ? -found - 1 : found].increment(); // a bound belongs to the bucket below it
      sum.add(value);
    }

    /** @param label such as {@code path="/embed"}; may be empty */
    void print(StringBuilder out, String name, String label) {
      long count = 0;
      String more = label.isEmpty() ? "" : label + ",";
      for (int i = 0; i < counts.length; i++) {
        count += counts[i].sum();
        String bound = i == bounds.length ? "+Inf" : number(bounds[i]);
        sample(out, name + "_bucket", more + "le=\"" + bound + "\"", Long.toString(count));
      }
      sample(out, name + "_sum", label, number(sum.sum()));
      sample(out, name + "_count", label, Long.toString(count));
    }
  }

  /**
   * Counts a request that has been answered.
   *
   * @param path one of the server's; not what a client sent
   */
  void request(String path, int status, double time) {
    String of = "path=\"" + path + "\"";
    requests.computeIfAbsent(of + ",status=\"" + status + "\"", key -> new LongAdder()).increment();
    seconds.computeIfAbsent(of, key -> new Histogram(SECONDS)).add(time);
  }

  /** Counts the images of an answer. */
  void images(String path, int count) {
    images.computeIfAbsent("path=\"" + path + "\"", key -> new LongAdder()).add(count);
  }

  void batch(int size) {
    batches.add(size);
  }

  /** Requests of all paths so far. */
  long requests() {
    return requests.values().stream().mapToLong(LongAdder::sum).sum();
  }

  /** Requests that were answered with a status of 400 or more, or not at all. */
  long errors() {
    return requests.entrySet().stream()
        .filter(entry -> !entry.getKey().contains("status=\"2"))
        .mapToLong(entry -> entry.getValue().sum()).sum();
  }

  /**
   * The text.
   *
   * @param underWay images of requests under way
   * @param waiting images that wait for their batch
   */
  String text(int underWay, int waiting) {
    StringBuilder out = new StringBuilder();
    head(out, "layerwise_requests_total", "counter", "Requests answered, by path and status; 499: the client went away.");
    requests.forEach((labels, count) -> sample(out, "layerwise_requests_total", labels, count.toString()));
    head(out, "layerwise_errors_total", "counter", "Requests with a status of 400 or more.");
    sample(out, "layerwise_errors_total", "", Long.toString(errors()));
    head(out, "layerwise_images_total", "counter", "Images in answers, by path.");
    images.forEach((labels, count) -> sample(out, "layerwise_images_total", labels, count.toString()));
    head(out, "layerwise_request_seconds", "histogram", "Time from a request's headers to the end of its answer.");
    seconds.forEach((label, histogram) -> histogram.print(out, "layerwise_request_seconds", label));
    head(out, "layerwise_batch_images", "histogram", "Images computed together.");
    batches.print(out, "layerwise_batch_images", "");
    head(out, "layerwise_images_under_way", "gauge", "Images of requests under way, which the queue's size limits.");
    sample(out, "layerwise_images_under_way", "", Integer.toString(underWay));
    head(out, "layerwise_images_waiting", "gauge", "Images that wait for their batch.");
    sample(out, "layerwise_images_waiting", "", Integer.toString(waiting));
    return out.toString();
  }

  private static void head(StringBuilder out, String name, String type, String help) {
    out.append("# HELP ").append(name).append(' ').append(help).append('\n');
    out.append("# TYPE ").append(name).append(' ').append(type).append('\n');
  }

  private static void sample(StringBuilder out, String name, String labels, String value) {
    out.append(name);
    if (!labels.isEmpty()) {
      out.append('{').append(labels).append('}');
    }
    out.append(' ').append(value).append('\n');
  }

  private static String number(double value) {
    return value == Math.rint(value) && value < 1e15 ? Long.toString((long) value) : Double.toString(value);
  }
}
