package dev.layerwise.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.TestConfigs;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Networks that users describe, for 8×8 images of one channel. */
class NetworkSpecTest {
  private static final String OUTPUT = "{name: out, kind: output}";

  @TempDir private Path folder;

  private NetworkSpec read(String blocks) throws IOException {
    return NetworkSpec.read(write("{'blocks': [" + quoted(blocks) + "]}"));
  }

  private Path write(String text) throws IOException {
    return Files.writeString(folder.resolve("my-net.json"), text.replace('\'', '"'));
  }

  /** Puts quotation marks around words, which the table below does without. */
  private static String quoted(String blocks) {
    return blocks.replaceAll("(?<![\\w.'])(?!true|false|null)([A-Za-z_][\\w.-]*)(?!')", "'$1'");
  }

  static ModelConfig config(NetworkSpec network, double featMult, String lossUnsup, boolean batchNorm) {
    return TestConfigs.model(
        Settings.partial(
            Architecture.class, "model", "my-net.json", "feat_mult", featMult, "num_layers", 0, "num_hidden", 1,
            "dropout", 0.1, "batch_norm", batchNorm),
        Settings.partial(Losses.class, "loss", "predsim", "loss_unsup", lossUnsup), 1, 8, network);
  }

  private static List<LayerSpec> plan(NetworkSpec network) {
    return Networks.layers(config(network, 1, "none", true));
  }

  @Test
  void sizesFollowFromTheImages() throws IOException {
    List<LayerSpec> layers =
        plan(
            read(
                "{name: stem, kind: conv, channels: 6, kernel: 5},"
                    + "{name: a, kind: conv, channels: 12, stride: 2},"
                    + "{name: side, kind: shortcut, input: stem, channels: 12, stride: 2},"
                    + "{name: b, kind: conv, channels: 12, shortcut: side, pool: true},"
                    + "{name: c, kind: preactivation, channels: 12, shortcut: b},"
                    + "{name: top, kind: head, batch_norm: true, relu: true, average_pool: 2},"
                    + "{name: fc, kind: linear, units: 20}," + OUTPUT));
    assertThat(layers).extracting(LayerSpec::name).containsExactly("stem", "a", "side", "b", "c", "top", "fc", "out");
    assertThat(layers).extracting(LayerSpec::input).containsExactly(-1, 0, 0, 1, 3, 4, 5, 6);
    assertThat(layers).extracting(LayerSpec::shortcut).containsExactly(null, null, null, 2, 3, null, null, null);
    assertThat(layers).extracting(LayerSpec::outChannels).containsExactly(6, 12, 12, 12, 12, 12, 20, 10);
    assertThat(layers).extracting(LayerSpec::outHeight).containsExactly(8, 4, 4, 2, 2, 1, 1, 1);
    assertThat(layers.get(0).padding()).isEqualTo(2);
    assertThat(layers.get(2).kernel()).isEqualTo(1);
  }

  @Test
  void theImagesCanBeNamed() throws IOException {
    List<LayerSpec> layers =
        plan(read("{name: a, kind: conv, channels: 1, input: images, shortcut: images}, " + OUTPUT));
    assertThat(layers.get(0).shortcut()).isEqualTo(LayerSpec.IMAGES);
  }

  @Test
  void aFactorWidensConvolutionsOnly() throws IOException {
    NetworkSpec network =
        read("{name: a, kind: conv, channels: 5}, {name: fc, kind: linear, units: 20}," + OUTPUT);
    assertThat(Networks.layers(config(network, 1.5, "none", true)))
        .extracting(LayerSpec::outChannels)
        .containsExactly(7, 20, 10);
    assertThatThrownBy(() -> Networks.layers(config(network, 0.1, "none", true)))
        .hasMessageContaining("channels times 0.1 leave");
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "{name: a, kind: conv, channels: 4}, {name: a, kind: output}                    | a: there are two blocks",
    "{name: 'a b', kind: output}                                                    | 'a b' cannot name a block",
    "{name: images, kind: output}                                                   | images: that name is taken",
    "{name: optimizer.a, kind: output}                                              | optimizer.a: that name is taken",
    "{name: a, kind: conv, channels: 4}, {name: a.b, kind: output}                  | a.b: the name begins with",
    "{name: a, kind: conv, channels: 4, input: b}, {name: b, kind: output}          | a: its input is 'b', which does not stand before it",
    "{name: a, kind: conv, channels: 4, shortcut: a}, {name: b, kind: output}       | a: its shortcut is 'a', which does not stand before it",
    "{name: a, kind: conv, channels: 4, input: z}, {name: b, kind: output}          | a: its input is 'z', but there is no block",
    "{name: a, kind: conv, channels: 4}, {name: b, kind: conv, channels: 5, shortcut: a}, {name: c, kind: output} "
        + "| b: its map is 5×8×8, but the shortcut 'a' brings 4×8×8",
    "{name: a, kind: conv, channels: 4}, {name: b, kind: conv, channels: 4, stride: 2, shortcut: a}, {name: c, kind: output} "
        + "| b: its map is 4×4×4, but the shortcut 'a' brings 4×8×8",
    "{name: a, kind: conv, channels: 4, kernel: 9, padding: 0}, {name: b, kind: output} | a: a kernel of 9×9 does not fit",
    "{name: a, kind: conv, channels: 4, stride: 8, pool: true}, {name: b, kind: output} | after a the map is 1×1, and pooling it leaves nothing",
    "{name: a, kind: head, average_pool: 9}, {name: b, kind: output}                | a: an average over 9×9 positions does not fit",
    "{name: a, kind: head, average_pool: 2, pool: true}, {name: b, kind: output}    | a: it has either pool or average_pool",
    "{name: a, kind: head, norm_momentum: 0}, {name: b, kind: output}               | a: norm_momentum must be above 0",
    "{name: a, kind: conv, channels: 4}                                             | has no output layer; its last block must be one, not a",
    "{name: a, kind: output}, {name: b, kind: output}                               | b: it comes after the output layer 'a'",
    "{name: a, kind: output}, {name: b, kind: conv, channels: 3}                    | b: it comes after the output layer 'a'",
    "{name: a, kind: conv, channels: 4}, {name: b, kind: output, input: images}     | a: no block reads it",
    "{name: a, kind: conv, channels: 4}, {name: s, kind: shortcut, channels: 4}, {name: b, kind: output} | s: no block reads it",
    "{name: s, kind: shortcut, channels: 4}, {name: a, kind: conv, channels: 4, input: s}, {name: b, kind: output} "
        + "| a: it reads 's', which is a shortcut",
    "{name: s, kind: shortcut, channels: 4}, {name: a, kind: conv, channels: 4, shortcut: s}, "
        + "{name: b, kind: conv, channels: 4, shortcut: s}, {name: c, kind: output} | s: 2 blocks add this shortcut",
    "{name: a, kind: conv}, {name: b, kind: output}                                 | a: a block of kind conv needs its channels",
    "{name: a, kind: linear}, {name: b, kind: output}                               | a: a block of kind linear needs its units",
    "{name: a, kind: linear, units: 4, stride: 2}, {name: b, kind: output}          | a: a block of kind linear has no 'stride'",
    "{name: a, kind: preactivation, channels: 4, pool: true}, {name: b, kind: output} | a: a block of kind preactivation has no 'pool'",
    "{name: a, kind: conv, channels: 0}, {name: b, kind: output}                    | a: channels must be in 1 … 1000000, not 0",
    "{name: a, kind: conv, channels: 4, kernel: -3}, {name: b, kind: output}        | a: kernel must be in 1",
    "{name: a, kind: conv, channels: 4, stride: 0}, {name: b, kind: output}         | a: stride must be in 1",
    "{name: a, kind: conv, channels: 4, padding: 3}, {name: b, kind: output}        | a: padding must be in 0 … 2, not 3",
    "{name: a, kind: linear, units: 1000000}, {name: b, kind: linear, units: 1000000}, {name: c, kind: output} "
        + "| b: it would have 1000000000000 weights",
  })
  void whatCannotWorkIsRefusedByName(String blocks, String message) throws IOException {
    NetworkSpec network = read(blocks);
    assertThatThrownBy(() -> plan(network)).isInstanceOf(ModelException.class).hasMessageContaining(message);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {
    "{name: a, kind: conv, chanels: 4}          | block 'a': there is no field 'chanels'; a block of kind conv takes name, kind, input",
    "{name: a, kind: convolution, channels: 4}  | block 'a': its kind is one of conv, linear",
    "{name: a, kind: conv, channels: '4'}       | block 'a': its channels cannot be \"4\"",
    "{name: a, kind: conv, channels: 4.5}       | block 'a': its channels cannot be 4.5",
    "{name: a, kind: conv, channels: 9999999999}| block 'a': its channels cannot be 9999999999",
    "{name: a, kind: conv, channels: [4]}       | block 'a': its channels cannot be [4]",
    "{name: a, kind: conv, pool: 1}             | block 'a': its pool cannot be 1",
    "{name: a}                                  | block 'a': its kind is missing",
    "{name: a, kind: 0}                         | block 'a': its kind is missing, or is not text",
    "{kind: conv}                               | block number 1: its name is missing",
    "{name: a, kind: output}, 7                 | block number 2: a block is an object",
  })
  void whatIsNotWrittenRightIsRefusedByName(String blocks, String message) {
    assertThatThrownBy(() -> read(blocks))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("my-net.json")
        .hasMessageContaining(message);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "[]", "{}", "{'blocks': {}}", "null", "{'blocks': [], 'name': 'mine'}"})
  void aFileThatIsNoNetworkIsRefused(String text) throws IOException {
    Path file = write(text);
    assertThatThrownBy(() -> NetworkSpec.read(file)).isInstanceOf(ModelException.class).hasMessageContaining("my-net.json");
  }

  @Test
  void badJsonIsPointedAt() throws IOException {
    Path file = write("{'blocks': [\n  {'name': 'a', 'name': 'b'}]}");
    assertThatThrownBy(() -> NetworkSpec.read(file)).hasMessageContaining("line 2").hasMessageContaining("name");
    Path more = write("{'blocks': []} []");
    assertThatThrownBy(() -> NetworkSpec.read(more)).hasMessageContaining("my-net.json is not JSON");
    assertThatThrownBy(() -> NetworkSpec.read(folder.resolve("none.json")))
        .isInstanceOf(ModelException.class)
        .hasMessageContaining("none.json (no such file or folder)");
    assertThatThrownBy(() -> plan(new NetworkSpec(List.of()))).hasMessageContaining("has no blocks");
  }

  @Test
  void lossesThatABlockCannotHaveAreRefusedByName() throws IOException {
    NetworkSpec strided =
        read("{name: a, kind: conv, channels: 4, stride: 2}, {name: b, kind: conv, channels: 4, stride: 2}," + OUTPUT);
    assertThatThrownBy(() -> Networks.layers(config(strided, 1, "recon", true)))
        .isInstanceOf(ModelException.class)
        .hasMessageStartingWith("b: the reconstruction loss");
    NetworkSpec preactivation = read("{name: a, kind: preactivation, channels: 4}," + OUTPUT);
    assertThatThrownBy(() -> Networks.layers(config(preactivation, 1, "none", false)))
        .hasMessageStartingWith("a: a preactivation block begins with batch norm");
  }

  @Test
  void publishedNetworksAreDescribedInTheSameForm() throws JsonProcessingException {
    for (String name : Networks.names()) {
      ModelConfig named =
          TestConfigs.model(Settings.partial(Architecture.class, "model", name, "num_hidden", 64), 3, 32);
      NetworkSpec network = Networks.spec(named);
      ObjectMapper json = new ObjectMapper();
      NetworkSpec again = json.readValue(json.writeValueAsString(network), NetworkSpec.class);
      assertThat(again).as(name).isEqualTo(network);
      ModelConfig own = named.with(named.architecture().ofModel("my-net.json"), again);
      assertThat(Networks.layers(own)).as(name).isEqualTo(Networks.layers(named));
    }
  }
}
