package dev.layerwise.serve;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.api.DataSet;
import dev.layerwise.api.Device;
import dev.layerwise.api.Model;
import dev.layerwise.api.Network;
import dev.layerwise.api.Precision;
import dev.layerwise.api.Trainer;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.stream.Collectors;
import javax.imageio.ImageIO;

/** A tiny trained model, and what clients send to its server. */
final class ServedModel {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

  private ServedModel() {}

  static Model train(Path folder) {
    Network network = Network.named("mlp").hiddenLayers(2, 16).build();
    Device device = new Device("cpu", 1, Precision.FLOAT32, "auto", false);
    new Trainer(network, DataSet.named("digits")).epochs(1).device(device).train(folder);
    return Model.open(folder, Model.Options.of("cpu", 1, 1));
  }

  /** A grey image, another for each number. */
  static byte[] png(int number, int size) {
    BufferedImage image = new BufferedImage(size, size, BufferedImage.TYPE_BYTE_GRAY);
    for (int i = 0; i < size * size; i++) {
      image.getRaster().setSample(i % size, i / size, 0, (i * (number + 3) * 37) % 256);
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      ImageIO.write(image, "png", out);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }

  static byte[] png(int number) {
    return png(number, 8);
  }

  /** The JSON form of several images. */
  static String json(List<byte[]> images) {
    return images.stream().map(image -> '"' + Base64.getEncoder().encodeToString(image) + '"')
        .collect(Collectors.joining(", ", "{\"images\": [", "]}"));
  }

  static HttpResponse<String> get(Server server, String path) throws Exception {
    return CLIENT.send(HttpRequest.newBuilder(URI.create(server.url() + path)).build(), HttpResponse.BodyHandlers.ofString());
  }

  /** @param type may be null */
  static HttpResponse<String> post(Server server, String path, String type, HttpRequest.BodyPublisher body) throws Exception {
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(server.url() + path)).POST(body);
    if (type != null) {
      request.header("Content-Type", type);
    }
    return CLIENT.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  static HttpResponse<String> post(Server server, String path, byte[] image) throws Exception {
    return post(server, path, "image/png", HttpRequest.BodyPublishers.ofByteArray(image));
  }

  static JsonNode parse(HttpResponse<String> response) throws IOException {
    return JSON.readTree(response.body());
  }
}
