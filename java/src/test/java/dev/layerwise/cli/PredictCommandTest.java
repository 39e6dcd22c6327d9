package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import dev.layerwise.TestPng;
import dev.layerwise.api.DataSet;
import dev.layerwise.api.Model;
import dev.layerwise.api.Network;
import dev.layerwise.api.Trainer;
import dev.layerwise.data.ImageSet;
import dev.layerwise.safetensors.SafeTensors;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code predict} agrees with {@code evaluate}, from the output layer and from every local classifier. */
class PredictCommandTest {
  @TempDir private static Path folder;
  private static Path run;
  private static Path images;

  @BeforeAll
  static void train() throws IOException {
    run = folder.resolve("run");
    CommandLineRunner training =
        CommandLineRunner.run("train", "--epochs", 3, "--num-hidden", 32, "--threads", 2, "--out", run);
    assertThat(training.exitCode()).as(training.err()).isZero();
    images = DigitImages.write(folder.resolve("images"), 360);
  }

  private static double errorPercent(List<JsonNode> predictions) {
    long wrong =
        predictions.stream()
            .filter(
                event -> {
                  String name = event.get("image").asText().replace(".png", "");
                  return !name.endsWith("-" + event.get("predictions").get(0).get("class").asText());
                })
            .count();
    return 100.0 * wrong / predictions.size();
  }

  @Test
  void itsErrorsAreThoseOfEvaluate() {
    JsonNode evaluation = CommandLineRunner.run("evaluate", run, "--json").lastEvent();
    CommandLineRunner whole = CommandLineRunner.run("predict", run, images, "--json", "--batch-size", 50);
    assertThat(whole.exitCode()).as(whole.err()).isZero();
    assertThat(whole.events()).hasSize(360);
    // Another batch size may change last bits of logits, and decide for another class only where two are that close.
    assertThat(errorPercent(whole.events())).isCloseTo(evaluation.get("test_error").asDouble(), within(0.3));
    for (int layer = 1; layer <= 3; layer++) {
      JsonNode expected = evaluation.get("layers").get(layer - 1);
      CommandLineRunner early = CommandLineRunner.run("predict", run, images, "--json", "--layer", layer);
      assertThat(early.events().get(0).get("layer").asText()).isEqualTo(expected.get("name").asText());
      assertThat(errorPercent(early.events())).isCloseTo(expected.get("local_error").asDouble(), within(0.3));
      assertThat(CommandLineRunner.run("predict", run, images, "--json", "--layer", "layers." + (layer - 1)).out())
          .isEqualTo(early.out());
    }
  }

  @Test
  void probabilitiesOfAllClassesSumToOne() {
    CommandLineRunner all = CommandLineRunner.run("predict", run, images.resolve(first()), "--top-k", 10, "--json");
    JsonNode predictions = all.lastEvent().get("predictions");
    assertThat(predictions).hasSize(10);
    double sum = 0;
    double before = 1;
    for (JsonNode prediction : predictions) {
      double probability = prediction.get("probability").asDouble();
      assertThat(probability).isLessThanOrEqualTo(before);
      before = probability;
      sum += probability;
    }
    assertThat(sum).isCloseTo(1, within(1e-12)); // ten roundings of a double
  }

  @Test
  void textAndCommaSeparatedValues() throws IOException {
    Path quoted = folder.resolve("a \"nine\", perhaps.png");
    Files.copy(images.resolve(first()), quoted);
    CommandLineRunner csv = CommandLineRunner.run("predict", run, quoted, "--csv", "--top-k", 2);
    List<String> lines = csv.out().lines().toList();
    assertThat(lines).hasSize(3);
    assertThat(lines.get(0)).isEqualTo("image,rank,class,probability");
    assertThat(lines.get(1))
        .startsWith("\"")
        .contains("a \"\"nine\"\", perhaps.png\",1,")
        .matches(".*,[0-9],[01]\\.[0-9]{6}");
    CommandLineRunner text = CommandLineRunner.run("predict", run, quoted, "--top-k", 2);
    assertThat(text.out().strip()).matches(".*perhaps\\.png: [0-9] [0-9.]+ %, [0-9] [0-9.]+ %");
    Files.delete(quoted);
  }

  @Test
  void whatIsNoImageIsLeftOutAndSaid() throws IOException {
    Path broken = Files.writeString(folder.resolve("broken.png"), "no image");
    CommandLineRunner mixed =
        CommandLineRunner.run("predict", run, broken, images.resolve(first()), folder.resolve("none.png"));
    assertThat(mixed.exitCode()).isEqualTo(1);
    assertThat(mixed.out().lines()).hasSize(1);
    assertThat(mixed.err()).contains("broken.png is not an image").contains("none.png").doesNotContain("\tat ");
    Path empty = Files.createDirectories(folder.resolve("empty"));
    assertThat(CommandLineRunner.run("predict", run, empty).err()).contains("has no JPEG, PNG, GIF, BMP or TIFF files.");
  }

  @Test
  void foldersAreFollowedAndWhatIsLeftOutIsSaid() throws IOException {
    Path album = Files.createDirectories(folder.resolve("album/more"));
    Files.copy(images.resolve(first()), album.resolve("a.png"));
    Files.writeString(album.resolve("b.webp"), "not read");
    Files.createDirectories(album.resolve("@eaDir"));
    Files.createSymbolicLink(album.resolve("back"), folder.resolve("album"));
    Path link = Files.createSymbolicLink(folder.resolve("link"), folder.resolve("album"));
    CommandLineRunner prediction = CommandLineRunner.run("predict", run, link, "--json");
    assertThat(prediction.exitCode()).as(prediction.err()).isZero();
    assertThat(prediction.events()).extracting(event -> event.get("image").asText())
        .containsExactly(link.resolve("more/a.png").toString());
    assertThat(prediction.err()).isEqualTo(
        "layerwise: skipped: 1 image of a kind that is not read (.webp); 1 hidden or system file or folder (@eaDir);"
            + " 1 link to a folder that it is in (" + link.resolve("more/back") + ")\n");
  }

  @Test
  void photosAreTurnedUnlessThatIsNotWanted() throws IOException {
    BufferedImage digit = ImageIO.read(images.resolve(first()).toFile());
    byte[] onItsSide = TestPng.onItsSide(digit);
    Path photo = Files.write(folder.resolve("photo.png"), onItsSide);
    BufferedImage lying = ImageIO.read(photo.toFile());
    assertThat(lying.getRaster().getSample(0, 7, 0)).isEqualTo(digit.getRaster().getSample(0, 0, 0));
    Path stored = folder.resolve("stored.png");
    ImageIO.write(lying, "png", stored.toFile());
    String upright = probabilities(images.resolve(first()));
    String unturned = probabilities(stored);
    assertThat(upright).isNotEqualTo(unturned);
    assertThat(probabilities(photo)).isEqualTo(upright);
    assertThat(probabilities(photo, "--no-exif")).isEqualTo(unturned);
    try (Model model = Model.open(run);
        Model asStored = Model.open(run, Model.Options.defaults().withExif(false))) {
      assertThat(model.read(photo)).isEqualTo(model.read(images.resolve(first())));
      assertThat(model.decode(onItsSide)).isEqualTo(model.read(photo));
      assertThat(asStored.read(photo)).isEqualTo(model.read(stored));
      assertThat(asStored.decode(onItsSide)).isEqualTo(model.read(stored));
    }
  }

  private static String probabilities(Path image, String... options) {
    List<Object> words = new ArrayList<>(List.of("predict", run, image, "--json", "--top-k", 10));
    words.addAll(List.of(options));
    CommandLineRunner prediction = CommandLineRunner.run(words.toArray());
    assertThat(prediction.exitCode()).as(prediction.err()).isZero();
    return prediction.lastEvent().get("predictions").toString();
  }

  @Test
  void wrongUsage() {
    assertThat(CommandLineRunner.run("predict", run).exitCode()).isEqualTo(2);
    CommandLineRunner both = CommandLineRunner.run("predict", run, images, "--csv", "--json");
    assertThat(both.exitCode()).isEqualTo(2);
    CommandLineRunner layer = CommandLineRunner.run("predict", run, images, "--layer", 4);
    assertThat(layer.exitCode()).isEqualTo(2);
    assertThat(layer.err()).contains("no layer '4'; it has 1 layers.0, 2 layers.1, 3 layers.2, layer_out");
  }

  @Test
  void layersWithoutAClassifierAreRefused() {
    for (String options : new String[] {"--backprop", "--loss sim", "--bio --loss pred"}) {
      Path other = folder.resolve("other" + options.replace(" ", ""));
      String[] words = ("train --epochs 1 --num-hidden 8 --out " + other + " " + options).split(" ");
      assertThat(CommandLineRunner.run((Object[]) words).exitCode()).isZero();
      CommandLineRunner local = CommandLineRunner.run("predict", other, images, "--layer", 1);
      assertThat(local.exitCode()).isEqualTo(1);
      assertThat(local.err()).contains("layers.0 has no classifier to predict with");
      assertThat(CommandLineRunner.run("predict", other, images.resolve(first())).exitCode()).isZero();
    }
  }

  @Test
  void aFileOfAnOlderVersionSaysWhatItLacks() throws IOException {
    SafeTensors model = SafeTensors.read(run.resolve("model.safetensors"));
    Map<String, String> metadata = new LinkedHashMap<>(model.metadata());
    assertThat(metadata.remove("input")).contains("\"class_names\"").contains("\"mean\"");
    Path old = folder.resolve("old.safetensors");
    new SafeTensors(metadata, model.tensors()).write(old);
    CommandLineRunner prediction = CommandLineRunner.run("predict", old, images);
    assertThat(prediction.exitCode()).isEqualTo(1);
    assertThat(prediction.err()).contains("does not say how images are normalized", "resuming its finished run");
    assertThat(CommandLineRunner.run("evaluate", old).exitCode()).isZero();
    assertThat(CommandLineRunner.run("inspect", old).exitCode()).isZero();
    // What the message promises.
    Path again = folder.resolve("again");
    Files.createDirectories(again);
    for (String name : new String[] {"checkpoint.safetensors", "config.json", "metrics.jsonl"}) {
      Files.copy(run.resolve(name), again.resolve(name));
    }
    Files.copy(old, again.resolve("model.safetensors"));
    assertThat(CommandLineRunner.run("train", "--resume", again).exitCode()).isZero();
    assertThat(CommandLineRunner.run("predict", again, images.resolve(first())).exitCode()).isZero();

    metadata.put("input", "{\"class_names\":[\"a\"],\"mean\":[0.5],\"deviation\":[0.5],\"resize\":8}");
    new SafeTensors(metadata, model.tensors()).write(old);
    assertThat(CommandLineRunner.run("predict", old, images).err()).contains("does not fit the network's");
    metadata.put("input", "{\"class_names\":[\"a\"],\"mean\":[0.5],\"deviation\":[0],\"resize\":8}");
    new SafeTensors(metadata, model.tensors()).write(old);
    assertThat(CommandLineRunner.run("predict", old, images).err()).contains("the input's description in the metadata");
  }

  private static String first() {
    return String.format("0000-%d.png", DigitImages.test().labels()[0]);
  }

  @Test
  void aModelOfImagesOfAProgramsOwnIsUsedButNotEvaluated() throws IOException {
    ImageSet digits = DigitImages.test();
    byte[] pixels = digits.pixels(0, digits.count());
    DataSet own =
        DataSet.of(
            "own", DataSet.named("digits").classNames(), 1, 8, 8, pixels, digits.labels(), pixels, digits.labels());
    Path ofOwn = folder.resolve("own");
    new Trainer(Network.named("mlp").hiddenLayers(1, 8).build(), own).epochs(1).device("cpu", 2).train(ofOwn);
    assertThat(CommandLineRunner.run("predict", ofOwn, images.resolve(first())).exitCode()).isZero();
    CommandLineRunner evaluation = CommandLineRunner.run("evaluate", ofOwn);
    assertThat(evaluation.exitCode()).isEqualTo(1);
    assertThat(evaluation.err()).contains("was trained on 'own', whose images only the program that trained it has");
    assertThat(CommandLineRunner.run("evaluate", ofOwn, "--dataset", "digits").exitCode()).isZero();
  }
}
