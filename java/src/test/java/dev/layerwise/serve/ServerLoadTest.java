package dev.layerwise.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import dev.layerwise.HalfRequest;
import dev.layerwise.api.Model;
import dev.layerwise.api.Prediction;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Many clients at a time, and how the server stops while they ask. */
@Timeout(120)
class ServerLoadTest {
  private static final int CLIENTS = 32;
  private static final int REQUESTS = 2000;
  private static final int IMAGES = 20;

  @TempDir private static Path folder;
  private static Model model;

  @BeforeAll
  static void train() {
    model = ServedModel.train(folder.resolve("run"));
  }

  @AfterAll
  static void close() {
    model.close();
  }

  private static Server server() {
    return new Server(model, "127.0.0.1", 0, new Limits(16, 2, 64, 4, 100_000, 10_000), line -> { });
  }

  private static void check(HttpResponse<String> answer, List<Prediction> expected) throws IOException {
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
    JsonNode guess = ServedModel.parse(answer).get("results").get(0).get("predictions").get(0);
    assertThat(guess.get("class").asText()).isEqualTo(expected.get(0).className());
    // Other batches may round the last bits otherwise.
    assertThat(guess.get("probability").asDouble()).isCloseTo(expected.get(0).probability(), within(1e-5));
  }

  @Test
  void noAnswerIsLostAndAllAreTheModels() throws Exception {
    List<byte[]> images = new ArrayList<>();
    List<List<Prediction>> expected = new ArrayList<>();
    for (int i = 0; i < IMAGES; i++) {
      images.add(ServedModel.png(i));
      expected.add(model.predict(model.decode(images.get(i))));
    }
    ExecutorService clients = Executors.newFixedThreadPool(CLIENTS);
    Server server = server();
    AtomicInteger next = new AtomicInteger();
    Callable<Integer> client = () -> {
      int answered = 0;
      for (int i = next.getAndIncrement(); i < REQUESTS; i = next.getAndIncrement()) {
        check(ServedModel.post(server, "/predict", images.get(i % IMAGES)), expected.get(i % IMAGES));
        answered++;
      }
      return answered;
    };
    try (server) {
      int answered = 0;
      List<Future<Integer>> all = new ArrayList<>();
      for (int i = 0; i < CLIENTS; i++) {
        all.add(clients.submit(client));
      }
      for (Future<Integer> one : all) {
        answered += one.get();
      }
      assertThat(answered).isEqualTo(REQUESTS);
    } finally {
      clients.shutdownNow();
    }
    assertThat(server.requests()).isEqualTo(REQUESTS);
    assertThat(server.errors()).isZero();
    assertThat(server.metrics().text(0, 0)).contains("layerwise_batch_images_sum " + REQUESTS + "\n");
    double batches = Double.parseDouble(server.metrics().text(0, 0).replaceAll("(?s).*batch_images_count ([0-9]+).*", "$1"));
    assertThat(batches).as("images are computed together").isLessThan(REQUESTS / 2.0);
  }

  @Test
  void whatIsUnderWayIsAnsweredBeforeTheServerStops() throws Exception {
    byte[] image = ServedModel.png(7);
    Server server = server();
    try (HalfRequest first = new HalfRequest(server.port(), "/predict", image);
        HalfRequest second = new HalfRequest(server.port(), "/embed", image)) {
      while (!ServedModel.get(server, "/metrics").body().contains("under_way 2\n")) {
        Thread.onSpinWait();
      }
      CompletableFuture<Integer> stopped = CompletableFuture.supplyAsync(() -> server.stop(Duration.ofMinutes(1)));
      HttpResponse<String> refused = ServedModel.get(server, "/health");
      while (refused.statusCode() == 200) {
        refused = ServedModel.get(server, "/health");
      }
      assertThat(refused.statusCode()).isEqualTo(503);
      assertThat(refused.body()).isEqualTo("{\"error\":\"the server is shutting down\"}\n");
      assertThat(refused.headers().firstValue("Connection")).contains("close");
      assertThat(stopped).isNotDone();
      assertThat(first.finish()).startsWith("HTTP/1.1 200 OK\r\n").contains("\"layer_out\"");
      assertThat(stopped).isNotDone();
      assertThat(second.finish()).startsWith("HTTP/1.1 200 OK\r\n").contains("\"layers.1\"");
      assertThat(stopped.get()).isZero();
      assertThatThrownBy(() -> ServedModel.get(server, "/health"))
          .isInstanceOf(IOException.class);
    }
  }

  @Test
  void aClientThatNeverEndsIsGivenUp() throws Exception {
    Server server = server();
    try (HalfRequest first = new HalfRequest(server.port(), "/predict", ServedModel.png(7))) {
      while (!ServedModel.get(server, "/metrics").body().contains("under_way 1\n")) {
        Thread.onSpinWait();
      }
      assertThat(server.stop(Duration.ofMillis(50))).isEqualTo(1);
      assertThat(server.stop(Duration.ofMillis(50))).as("again, without harm").isLessThanOrEqualTo(1);
    }
  }
}
