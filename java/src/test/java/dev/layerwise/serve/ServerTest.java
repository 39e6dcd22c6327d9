package dev.layerwise.serve;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import dev.layerwise.HalfRequest;
import dev.layerwise.LayerwiseException;
import dev.layerwise.api.Model;
import dev.layerwise.api.Prediction;
import java.io.ByteArrayInputStream;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the server answers. */
@Timeout(120)
class ServerTest {
  private static final int MOST_BYTES = 20_000;

  @TempDir private static Path folder;
  private static Model model;
  private static Server server;

  @BeforeAll
  static void start() {
    model = ServedModel.train(folder.resolve("run"));
    server = server(8);
  }

  @AfterAll
  static void stop() {
    server.close();
    model.close();
  }

  private static Server server(int queue) {
    return new Server(model, "127.0.0.1", 0, new Limits(4, 1, queue, Math.min(queue, 3), MOST_BYTES, 10_000), line -> { });
  }

  private static byte[] pixels(int image) {
    return model.decode(ServedModel.png(image));
  }

  @Test
  void predictionsAreTheModels() throws Exception {
    for (int image = 0; image < 5; image++) {
      for (String layer : new String[] {"layer_out", "layers.0"}) {
        HttpResponse<String> answer =
            ServedModel.post(server, "/predict?top_k=3&layer=" + layer, ServedModel.png(image));
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
        assertThat(answer.headers().firstValue("Content-Type")).contains("application/json");
        assertThat(ServedModel.parse(answer).get("layer").asText()).isEqualTo(layer);
        JsonNode guesses = ServedModel.parse(answer).get("results").get(0).get("predictions");
        assertThat(guesses).hasSize(3);
        List<Prediction> expected = model.predict(pixels(image), layer);
        for (int rank = 0; rank < 3; rank++) {
          assertThat(guesses.get(rank).get("class").asText()).isEqualTo(expected.get(rank).className());
          assertThat(guesses.get(rank).get("number").asInt()).isEqualTo(expected.get(rank).classNumber());
          assertThat(guesses.get(rank).get("probability").asDouble()).isEqualTo(expected.get(rank).probability());
        }
      }
    }
  }

  @Test
  void theLikeliestClassIsAnsweredUnlessMoreAreAskedFor() throws Exception {
    JsonNode answer = ServedModel.parse(ServedModel.post(server, "/predict", ServedModel.png(1)));
    assertThat(answer.get("layer").asText()).isEqualTo("layer_out");
    assertThat(answer.get("results").get(0).get("predictions")).hasSize(1);
    JsonNode all = ServedModel.parse(ServedModel.post(server, "/predict?top_k=99", ServedModel.png(1)));
    assertThat(all.get("results").get(0).get("predictions")).hasSize(10);
  }

  @Test
  void featuresOfSeveralImagesAreTheModelsInTheirOrder() throws Exception {
    List<byte[]> images = List.of(ServedModel.png(1), ServedModel.png(2), ServedModel.png(3));
    HttpResponse<String> answer =
        ServedModel.post(
            server, "/embed", "application/json; charset=utf-8", BodyPublishers.ofString(ServedModel.json(images)));
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
    JsonNode content = ServedModel.parse(answer);
    assertThat(content.get("layer").asText()).isEqualTo("layers.1");
    assertThat(content.get("shape").toString()).isEqualTo("[16,1,1]");
    assertThat(content.get("results")).hasSize(3);
    for (int i = 0; i < 3; i++) {
      float[] expected = model.features(pixels(i + 1), 1, "layers.1")[0];
      JsonNode features = content.get("results").get(i).get("features");
      assertThat(features).hasSize(16);
      for (int k = 0; k < 16; k++) { // other batches may round the last bits otherwise
        assertThat(features.get(k).floatValue()).isCloseTo(expected[k], within(1e-5f));
      }
    }
  }

  @Test
  void theModelIsDescribed() throws Exception {
    JsonNode description = ServedModel.parse(ServedModel.get(server, "/model"));
    assertThat(description.get("dataset").asText()).isEqualTo("digits");
    assertThat(description.get("input").toString()).isEqualTo("[1,8,8]");
    assertThat(description.get("classes")).hasSize(10);
    assertThat(description.get("layers").get(1).toString())
        .isEqualTo("{\"number\":2,\"name\":\"layers.1\",\"output\":[16,1,1],\"classifies\":true}");
    assertThat(ServedModel.get(server, "/health").body()).isEqualTo("{\"status\":\"ok\"}\n");
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "/predict          |                          | no image              | 400 | This is not an image",
    "/predict          | image/png                | ''                    | 400 | the body is empty",
    "/predict          | text/plain               | x                     | 415 | 'text/plain' are not read",
    "/predict?layer=9  |                          | x                     | 400 | no layer '9'; it has 1 layers.0",
    "/predict?top_k=0  |                          | x                     | 400 | top_k must be a positive whole number",
    "/predict?topk=3   |                          | x                     | 400 | no parameter 'topk' here; there is layer and top_k",
    "/embed?top_k=3    |                          | x                     | 400 | no parameter 'top_k'",
    "/embed            | application/json         | []                    | 400 | must be a JSON object of the form",
    "/embed            | application/json         | {                     | 400 | not valid JSON (line 1, column 2)",
    "/embed            | application/json         | {}                    | 400 | must be a JSON object of the form",
    "/embed            | application/json         | {'image': []}         | 400 | 'image' is not a list of images",
    "/embed            | application/json         | {'images': []}        | 400 | the list of images is empty",
    "/embed            | application/json         | {'images': [1]}       | 400 | images[0] is not a string in base64",
    "/embed            | application/json         | {'images': ['a!']}    | 400 | images[0] is not a string in base64",
    "/embed            | application/json         | {'images': ['aaaa']}  | 400 | This is not an image",
    "/embed            | application/json         | {'images': ['aaaa', 'aaaa']} | 400 | images[0]: This is not an image",
    "/embed            | application/json         | {'images': ['aaaa'], 'k': 1} | 400 | nothing may follow",
    "/embed            | application/json         | {'images': ['aaaa']} 1 | 400 | nothing may follow",
    "/embed            | application/json         | {'images': ['aaaa','aaaa','aaaa','aaaa']} | 413 | more than 3 images",
    "/predictions      |                          | x                     | 404 | there are /predict, /embed, /model",
    "/predict/         |                          | x                     | 404 | there is no '/predict/' here",
    "/health           |                          | x                     | 405 | /health takes GET only",
  }, quoteCharacter = '`')
  void whatIsWrongIsSaid(String path, String type, String body, int status, String sentence) throws Exception {
    String sent = body.equals("''") ? "" : body.replace('\'', '"');
    HttpResponse<String> answer = ServedModel.post(server, path, type, BodyPublishers.ofString(sent));
    assertThat(answer.statusCode()).as(answer.body()).isEqualTo(status);
    assertThat(ServedModel.parse(answer).get("error").asText()).contains(sentence).doesNotContain("\n", "Exception");
  }

  @Test
  void otherMethodsAreRefusedWithTheRightOne() throws Exception {
    HttpResponse<String> answer = ServedModel.get(server, "/predict");
    assertThat(answer.statusCode()).isEqualTo(405);
    assertThat(answer.headers().firstValue("Allow")).contains("POST");
  }

  @Test
  void whatIsTooLargeIsRefused() throws Exception {
    HttpResponse<String> wide = ServedModel.post(server, "/predict", ServedModel.png(1, 101));
    assertThat(wide.statusCode()).as(wide.body()).isEqualTo(413);
    assertThat(wide.body()).contains("the image has 101×101 pixels; this server takes at most 10000");
    byte[] many = new byte[3_000_000];
    String json = "{\"images\": [\"" + "a".repeat(many.length) + "\"]}";
    List<BodyPublisher> bodies = List.of(
        BodyPublishers.ofByteArray(many),
        BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(many)), // in chunks: its length is not said before
        BodyPublishers.ofString(json),
        BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(json.getBytes())));
    for (int i = 0; i < bodies.size(); i++) {
      HttpResponse<String> answer =
          ServedModel.post(server, "/embed", i < 2 ? "image/png" : "application/json", bodies.get(i));
      assertThat(answer.statusCode()).as("body %d: %s", i, answer.body()).isEqualTo(413);
      assertThat(answer.body()).contains("the body is larger than 20000 bytes");
    }
    assertThat(ServedModel.post(server, "/predict", ServedModel.png(1)).statusCode()).isEqualTo(200);
  }

  @Test
  void aFullQueueRefusesUntilThereIsRoom() throws Exception {
    byte[] image = ServedModel.png(1);
    try (Server small = server(2); HalfRequest first = new HalfRequest(small.port(), "/predict", image)) {
      awaitUnderWay(small, 1);
      HttpResponse<String> two =
          ServedModel.post(
              small, "/predict", "application/json", BodyPublishers.ofString(ServedModel.json(List.of(image, image))));
      assertThat(two.statusCode()).as(two.body()).isEqualTo(503);
      assertThat(two.headers().firstValue("Retry-After")).contains("1");
      assertThat(ServedModel.parse(two).get("error").asText()).contains("as many requests as it takes at a time");
      assertThat(ServedModel.post(small, "/predict", image).statusCode()).isEqualTo(200);
      assertThat(first.finish()).startsWith("HTTP/1.1 200 OK\r\n").contains("\"layer_out\"");
    }
  }

  /** Waits until so many images are under way. */
  private static void awaitUnderWay(Server server, int count) throws Exception {
    while (!ServedModel.get(server, "/metrics").body().contains("layerwise_images_under_way " + count + "\n")) {
      Thread.onSpinWait();
    }
  }

  @Test
  void metricsCountWhatWasDone() throws Exception {
    Server counted = server(8);
    try (counted) { // closed before it is looked at: a request is counted after its answer
      List<byte[]> images = List.of(ServedModel.png(1), ServedModel.png(2));
      ServedModel.post(counted, "/predict", "application/json", BodyPublishers.ofString(ServedModel.json(images)));
      ServedModel.post(counted, "/predict", ServedModel.png(3));
      ServedModel.post(counted, "/predict", new byte[] {1});
      ServedModel.get(counted, "/what%22a%0Apath");
      HttpResponse<String> metrics = ServedModel.get(counted, "/metrics");
      assertThat(metrics.headers().firstValue("Content-Type").orElseThrow()).startsWith("text/plain; version=0.0.4");
    }
    assertThat(counted.metrics().text(0, 0).lines())
        .contains(
            "layerwise_requests_total{path=\"/predict\",status=\"200\"} 2",
            "layerwise_requests_total{path=\"/predict\",status=\"400\"} 1",
            "layerwise_requests_total{path=\"other\",status=\"404\"} 1",
            "layerwise_errors_total 2",
            "layerwise_images_total{path=\"/predict\"} 3",
            "layerwise_request_seconds_bucket{path=\"/predict\",le=\"+Inf\"} 3",
            "layerwise_request_seconds_count{path=\"/predict\"} 3",
            "layerwise_batch_images_bucket{le=\"1\"} 1",
            "layerwise_batch_images_bucket{le=\"2\"} 2",
            "layerwise_batch_images_sum 3",
            "layerwise_batch_images_count 2")
        .allMatch(line -> line.matches("# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\\{[a-z]+=\"[^\"]*\"(,[a-z]+=\"[^\"]*\")*\\})? [0-9.E+-]+"));
  }

  @Test
  void aPortInUseIsNamed() {
    assertThatThrownBy(
            () -> new Server(model, "127.0.0.1", server.port(), new Limits(1, 0, 1, 1, 1, 1), line -> { }))
        .isInstanceOf(LayerwiseException.class)
        .hasMessage("port " + server.port() + " of 127.0.0.1 is in use by another program; choose another, or 0 for any that is free");
    assertThatThrownBy(() -> new Server(model, "no.such.host.invalid", 0, new Limits(1, 0, 1, 1, 1, 1), line -> { }))
        .hasMessageContaining("no.such.host.invalid");
  }

  @Test
  void limitsThatCannotBeAreRefused() {
    List<LayerwiseException> refused = new ArrayList<>();
    for (int[] numbers : new int[][] {{0, 1, 1}, {1, 0, 1}, {1, 4, 5}, {1, 4, 0}}) {
      try {
        new Limits(numbers[0], 1, numbers[1], numbers[2], 1, 1);
      } catch (LayerwiseException e) {
        refused.add(e);
      }
    }
    assertThat(refused).extracting(Throwable::getMessage).containsExactly(
        "batch_size must be in 1 … 100000, not 0", "queue must be in 1 … 100000, not 0", "max_images must be in 1 … 4, not 5",
        "max_images must be in 1 … 4, not 0");
  }
}
