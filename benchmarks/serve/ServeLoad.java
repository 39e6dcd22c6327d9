import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.api.Model;
import dev.layerwise.api.Prediction;
import java.awt.image.BufferedImage;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import javax.imageio.ImageIO;

/**
 * Clients that ask 'layerwise serve' for predictions as fast as they get them, and compare every answer with the model's own.
 * Each has a connection of its own, sends a PNG of random pixels, and waits for the answer before it sends the next. What is
 * sent is never sent again: a request without an answer is lost.
 *
 * <pre>java -cp 'build/app/current/lib/*' benchmarks/serve/ServeLoad.java http://127.0.0.1:8080 runs/first 10000 32</pre>
 */
public final class ServeLoad {
  private static final int IMAGES = 200;
  private static final ObjectMapper JSON = new ObjectMapper();

  private final URI address;
  private final int requests;
  private final List<byte[]> images = new ArrayList<>();
  private final List<Prediction> expected = new ArrayList<>();
  private final AtomicInteger next = new AtomicInteger();

  /** What a client has seen. */
  private static final class Seen {
    private final List<Long> nanos = new ArrayList<>();
    private int refused;
    private int lost;
    private int otherClass;
    private double difference;
  }

  private ServeLoad(URI address, int requests) {
    this.address = address;
    this.requests = requests;
  }

  /** Arguments: the server's address, its model, the number of requests, the number of clients. */
  public static void main(String[] args) throws Exception {
    ServeLoad load = new ServeLoad(URI.create(args[0]), Integer.parseInt(args[2]));
    try (Model model = Model.open(Path.of(args[1]))) {
      load.prepare(model);
    }
    load.run(Math.min(load.requests, 1000), Integer.parseInt(args[3])); // Java compiles what it runs often
    long started = System.nanoTime();
    Seen seen = load.run(load.requests, Integer.parseInt(args[3]));
    double seconds = (System.nanoTime() - started) / 1e9;
    long[] nanos = seen.nanos.stream().mapToLong(Long::longValue).sorted().toArray();
    System.out.printf(
        Locale.ROOT,
        "%d requests: %d answered, %d refused, %d lost; %.0f requests/s; p50 %.1f ms, p99 %.1f ms, slowest %.1f ms%n",
        load.requests, nanos.length, seen.refused, seen.lost, load.requests / seconds, at(nanos, 0.5), at(nanos, 0.99),
        at(nanos, 1));
    System.out.printf(
        Locale.ROOT, "compared with the model's own: %d of another class, probabilities differ by at most %.1e%n",
        seen.otherClass, seen.difference);
    System.exit(nanos.length == load.requests && seen.otherClass == 0 ? 0 : 1);
  }

  private static double at(long[] sorted, double part) {
    return sorted.length == 0 ? Double.NaN : sorted[(int) Math.min(sorted.length - 1, part * sorted.length)] / 1e6;
  }

  private void prepare(Model model) throws IOException {
    Random random = new Random(1);
    int type = model.channels() == 1 ? BufferedImage.TYPE_BYTE_GRAY : BufferedImage.TYPE_INT_RGB;
    for (int i = 0; i < IMAGES; i++) {
      BufferedImage image = new BufferedImage(model.width(), model.height(), type);
      int[] samples = random.ints((long) model.channels() * model.width() * model.height(), 0, 256).toArray();
      image.getRaster().setPixels(0, 0, model.width(), model.height(), samples);
      ByteArrayOutputStream png = new ByteArrayOutputStream();
      ImageIO.write(image, "png", png);
      images.add(png.toByteArray());
      expected.add(model.predict(model.decode(png.toByteArray())).get(0));
    }
  }

  private Seen run(int count, int clients) throws InterruptedException, ExecutionException {
    next.set(0);
    ExecutorService threads = Executors.newFixedThreadPool(clients);
    List<Future<Seen>> all = new ArrayList<>();
    for (int i = 0; i < clients; i++) {
      all.add(threads.submit(() -> ask(count)));
    }
    Seen sum = new Seen();
    for (Future<Seen> one : all) {
      sum.nanos.addAll(one.get().nanos);
      sum.refused += one.get().refused;
      sum.lost += one.get().lost;
      sum.otherClass += one.get().otherClass;
      sum.difference = Math.max(sum.difference, one.get().difference);
    }
    threads.shutdown();
    return sum;
  }

  private Seen ask(int count) throws IOException {
    Seen seen = new Seen();
    Socket socket = new Socket(address.getHost(), address.getPort());
    socket.setTcpNoDelay(true);
    InputStream in = new BufferedInputStream(socket.getInputStream());
    for (int i = next.getAndIncrement(); i < count; i = next.getAndIncrement()) {
      try {
        long started = System.nanoTime();
        socket.getOutputStream().write(request(images.get(i % IMAGES)));
        if (!line(in).contains(" 200 ")) {
          seen.refused++;
          body(in);
          continue;
        }
        JsonNode guess = JSON.readTree(body(in)).get("results").get(0).get("predictions").get(0);
        seen.nanos.add(System.nanoTime() - started);
        Prediction own = expected.get(i % IMAGES);
        seen.otherClass += guess.get("number").asInt() == own.classNumber() ? 0 : 1;
        seen.difference = Math.max(seen.difference, Math.abs(guess.get("probability").asDouble() - own.probability()));
      } catch (IOException e) {
        seen.lost++;
        socket.close();
        socket = new Socket(address.getHost(), address.getPort());
        socket.setTcpNoDelay(true);
        in = new BufferedInputStream(socket.getInputStream());
      }
    }
    socket.close();
    return seen;
  }

  private static byte[] request(byte[] image) {
    byte[] head =
        ("POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: " + image.length + "\r\n\r\n")
            .getBytes(StandardCharsets.US_ASCII);
    byte[] all = Arrays.copyOf(head, head.length + image.length);
    System.arraycopy(image, 0, all, head.length, image.length);
    return all;
  }

  /** Reads the other headers, and the body behind them. */
  private static byte[] body(InputStream in) throws IOException {
    int length = 0;
    for (String header = line(in); !header.isEmpty(); header = line(in)) {
      if (header.toLowerCase(Locale.ROOT).startsWith("content-length:")) {
        length = Integer.parseInt(header.substring(header.indexOf(':') + 1).strip());
      }
    }
    byte[] body = in.readNBytes(length);
    if (body.length < length) {
      throw new EOFException();
    }
    return body;
  }

  private static String line(InputStream in) throws IOException {
    StringBuilder line = new StringBuilder();
    for (int c = in.read(); c != '\n'; c = in.read()) {
      if (c < 0) {
        throw new EOFException();
      }
      if (c != '\r') {
        line.append((char) c);
      }
    }
    return line.toString();
  }
}
