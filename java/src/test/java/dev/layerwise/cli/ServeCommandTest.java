package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.HalfRequest;
import java.io.BufferedReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code serve} as a process of its own, and what it says when it cannot start. */
@Timeout(120)
class ServeCommandTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private static Path folder;
  private static Path run;
  private static Path image;

  @BeforeAll
  static void train() throws Exception {
    run = folder.resolve("run");
    CommandLineRunner.succeed("train --epochs 1 --num-layers 1 --num-hidden 8 --threads 1 --out " + run);
    image = DigitImages.write(folder.resolve("images"), 1);
  }

  @Test
  void aSignalLetsRequestsUnderWayEnd() throws Exception {
    Path err = folder.resolve("err");
    Process process =
        new ProcessBuilder(JavaProcess.command("serve", run, "--port", 0, "--json"))
            .redirectError(err.toFile()).start();
    try (BufferedReader out = process.inputReader()) {
      JsonNode listening = JSON.readTree(out.readLine());
      assertThat(listening.get("event").asText()).isEqualTo("listening");
      int port = listening.get("port").asInt();
      assertThat(listening.get("url").asText()).isEqualTo("http://127.0.0.1:" + port);
      byte[] digit;
      try (var files = Files.list(image)) {
        digit = Files.readAllBytes(files.findFirst().orElseThrow());
      }
      try (HalfRequest request = new HalfRequest(port, "/predict?top_k=10", digit)) {
        String said = "";
        awaitRequest(port);
        new ProcessBuilder("kill", "-TERM", Long.toString(process.pid())).start().waitFor();
        while (!said.contains("press Ctrl-C again")) {
          assertThat(process.isAlive()).as(said).isTrue();
          said = Files.readString(err);
        }
        assertThat(said).contains("answering 1 request under way, then stopping");
        assertThat(request.finish()).startsWith("HTTP/1.1 200 OK\r\n").contains("\"layer\":\"layer_out\"");
      }
      assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
      assertThat(process.exitValue()).isEqualTo(143);
      JsonNode stopped = JSON.readTree(out.readLine());
      assertThat(stopped.get("event").asText()).isEqualTo("stopped");
      assertThat(stopped.get("errors").asInt()).isZero();
      assertThat(stopped.get("unanswered").asInt()).isZero();
    } finally {
      process.destroyForcibly().waitFor();
    }
  }

  /** Waits until an image is under way. */
  private static void awaitRequest(int port) throws Exception {
    String metrics = "";
    while (!metrics.contains("layerwise_images_under_way 1\n")) {
      try (var in = new URL("http://127.0.0.1:" + port + "/metrics").openStream()) {
        metrics = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      }
    }
  }

  @Test
  void aPortInUseIsOneSentence() throws Exception {
    try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
      CommandLineRunner serve = CommandLineRunner.run("serve", run, "--port", other.getLocalPort());
      assertThat(serve.exitCode()).isEqualTo(1);
      assertThat(serve.err()).isEqualTo(
          "layerwise: port " + other.getLocalPort()
              + " of 127.0.0.1 is in use by another program; choose another, or 0 for any that is free\n");
    }
  }

  @Test
  void aModelThatIsNotThereIsOneSentence() {
    CommandLineRunner serve = CommandLineRunner.run("serve", folder.resolve("none"), "--port", 0);
    assertThat(serve.exitCode()).isEqualTo(1);
    assertThat(serve.err()).startsWith("layerwise: ").contains("none").hasLineCount(1);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "--port 65536      | --port must be in 0 … 65535, not 65536",
    "--batch-size 0    | --batch-size must be in 1 … 100000, not 0",
    "--batch-wait -1   | --batch-wait must be in 0 … 10000, not -1.0",
    "--queue 8         | --max-images must be in 1 … 8, not 64",
    "--max-body 0      | --max-body must be in",
    "--max-pixels 0    | --max-pixels must be in 1 … 100000000, not 0",
  })
  void wrongUsageExitsWith2(String options, String message) {
    CommandLineRunner serve = CommandLineRunner.line("serve " + run + " " + options);
    assertThat(serve.exitCode()).isEqualTo(2);
    assertThat(serve.err()).contains(message).doesNotContain("\tat ");
  }
}
