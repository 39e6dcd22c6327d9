package dev.layerwise;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.api.DataSet;
import dev.layerwise.api.Model;
import dev.layerwise.api.Network;
import dev.layerwise.api.Trainer;
import java.awt.image.BufferedImage;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The programs under examples/java, compiled and run as they are. */
@Timeout(240)
class ExamplesTest {
  private static final Path EXAMPLES = Path.of("..", "examples", "java");

  private static final Pattern OPTIONAL =
      Pattern.compile("<artifactId>([a-z-]+)</artifactId>(?:(?!</dependency>)[\\s\\S])*<optional>true");

  @TempDir private Path folder;

  private static ProcessBuilder example(String name, Object... arguments) {
    return program(System.getProperty("java.class.path"), EXAMPLES.resolve(name + ".java"), arguments);
  }

  private static ProcessBuilder program(String classPath, Path source, Object... arguments) {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-Xmx512m",
                "-Dorg.bytedeco.javacpp.cachedir=" + System.getProperty("org.bytedeco.javacpp.cachedir"), "-cp",
                classPath, source.toString()));
    for (Object argument : arguments) {
      command.add(argument.toString());
    }
    return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
  }

  private static String output(ProcessBuilder builder) throws IOException, InterruptedException {
    Process process = builder.start();
    String output = new String(process.getInputStream().readAllBytes());
    assertThat(process.waitFor()).as(output).isZero();
    return output;
  }

  @Test
  void trainDigits() throws Exception {
    String output = output(example("TrainDigits", folder.resolve("run")));
    assertThat(output)
        .contains("epoch 5: test error")
        .containsPattern("layer_out  says \\d \\([01]\\.\\d+\\)")
        .contains("it is a ");
    assertThat(folder.resolve("run/model.safetensors")).exists();
  }

  /** As another program has it that says in its pom.xml no more than that it uses the library. */
  private static String classPathWithoutOptional() throws IOException {
    List<String> optional =
        OPTIONAL.matcher(Files.readString(Path.of("pom.xml"))).results().map(found -> found.group(1)).distinct().toList();
    assertThat(optional).containsExactly("cuda", "picocli", "mfl-core").allMatch(documentedInTheGuide());
    return Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
        .filter(entry -> optional.stream().noneMatch(name -> Path.of(entry).getFileName().toString().startsWith(name + "-")))
        .collect(Collectors.joining(File.pathSeparator));
  }

  /** The guide has each of them in the version with which Layerwise is built. */
  private static Predicate<String> documentedInTheGuide() throws IOException {
    String guide = Files.readString(Path.of("..", "docs", "guide.md"));
    List<String> jars = List.of(System.getProperty("java.class.path").split("[" + File.pathSeparator + "/]"));
    return name -> jars.stream()
        .filter(jar -> jar.matches(Pattern.quote(name) + "-\\d.*(?<!x86_64)\\.jar"))
        .anyMatch(jar -> guide.contains(":" + jar.replaceFirst("-(?=\\d)", ":").replaceFirst("\\.jar$", "") + "`"));
  }

  @Test
  void theLibraryWorksWithoutOptionalDependencies() throws Exception {
    String slim = classPathWithoutOptional();
    Path run = folder.resolve("run");
    assertThat(output(program(slim, EXAMPLES.resolve("TrainDigits.java"), run))).contains("it is a ");
    for (String part : List.of("train", "extra", "test")) {
      Files.writeString(folder.resolve(part + "_32x32.mat"), "no matter");
    }
    Path source = Files.writeString(folder.resolve("Optional.java"), """
        import dev.layerwise.LayerwiseException;
        import dev.layerwise.api.*;
        import java.nio.file.Path;
        import java.util.List;

        public final class Optional {
          public static void main(String[] args) {
            Path run = Path.of(args[0]);
            try (Model model = Model.open(run)) {
              System.out.println(model.exportOnnx(run.resolve("model.onnx")));
            }
            for (Runnable use : List.<Runnable>of(
                () -> DataSet.named("svhn", run.getParent()), () -> Model.open(run, Model.Options.of("cuda", 1, 1)))) {
              try {
                use.run();
              } catch (LayerwiseException e) {
                System.out.println(e.getMessage());
              }
            }
          }
        }
        """);
    assertThat(output(program(slim, source, run)))
        .contains("[logits]")
        .contains("is read with the library us.hebi.matlab.mat:mfl-core, which is not on the class path; add it")
        .contains("the device cuda needs the library org.bytedeco:cuda, which is not on the class path; add it");
  }

  @Test
  void customNetwork() throws Exception {
    String output =
        output(example("CustomNetwork", EXAMPLES.resolve("small-residual.json"), folder.resolve("run")));
    assertThat(output).contains("two      conv      32×3×3");
    double error = Double.parseDouble(output.replaceAll("(?s).*test error ([0-9.]+) %.*", "$1"));
    assertThat(error).isLessThan(10); // chance is 50 %
  }

  @Test
  void embedService() throws Exception {
    Path run = folder.resolve("run");
    Network network = Network.named("mlp").hiddenLayers(2, 16).build();
    new Trainer(network, DataSet.named("digits")).epochs(1).device("cpu", 2).train(run);
    Process service = example("EmbedService", run, 0).start();
    try (BufferedReader reader = service.inputReader();
        Model model = Model.open(run, Model.Options.of("cpu", 1, 1))) {
      URI address = URI.create(reader.readLine().replaceFirst("listening on ", ""));
      HttpClient client = HttpClient.newHttpClient();
      List<CompletableFuture<HttpResponse<String>>> answers = new ArrayList<>();
      for (int i = 0; i < 40; i++) {
        HttpRequest request =
            HttpRequest.newBuilder(address).POST(HttpRequest.BodyPublishers.ofByteArray(png(i))).build();
        answers.add(client.sendAsync(request, HttpResponse.BodyHandlers.ofString()));
      }
      for (int i = 0; i < answers.size(); i++) {
        HttpResponse<String> answer = answers.get(i).get();
        assertThat(answer.statusCode()).as(answer.body()).isEqualTo(200);
        JsonNode features = new ObjectMapper().readTree(answer.body());
        float[] expected = model.features(model.decode(png(i)), 1, "2")[0];
        assertThat(features).hasSize(expected.length);
        for (int k = 0; k < expected.length; k++) {
          assertThat(features.get(k).floatValue()).isEqualTo(expected[k]);
        }
      }
      long fastest = Long.MAX_VALUE;
      for (int i = 0; i < 20; i++) { // one after the other on one connection
        long started = System.nanoTime();
        client.send(HttpRequest.newBuilder(address).POST(HttpRequest.BodyPublishers.ofByteArray(png(i))).build(),
            HttpResponse.BodyHandlers.discarding());
        fastest = Math.min(fastest, System.nanoTime() - started);
      }
      assertThat(Duration.ofNanos(fastest)).as("an answer does not wait for acknowledgements").isLessThan(Duration.ofMillis(35));
      HttpRequest nonsense =
          HttpRequest.newBuilder(address).POST(HttpRequest.BodyPublishers.ofString("no image")).build();
      HttpResponse<String> refusal = client.send(nonsense, HttpResponse.BodyHandlers.ofString());
      assertThat(refusal.statusCode()).isEqualTo(400);
      assertThat(refusal.body()).contains("is not an image");
    } finally {
      service.destroy();
      assertThat(service.waitFor(30, TimeUnit.SECONDS)).isTrue();
    }
  }

  /** A grey 8×8 image, another for each number. */
  private static byte[] png(int number) throws IOException {
    BufferedImage image = new BufferedImage(8, 8, BufferedImage.TYPE_BYTE_GRAY);
    for (int i = 0; i < 64; i++) {
      image.getRaster().setSample(i % 8, i / 8, 0, (i * (number + 3) * 37) % 256);
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ImageIO.write(image, "png", out);
    return out.toByteArray();
  }
}
