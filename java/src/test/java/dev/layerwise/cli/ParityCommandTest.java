package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.layerwise.SharedFolder;
import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.safetensors.SafeTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ParityCommandTest {
  @TempDir private Path folder;

  @Test
  void aFixtureThatIsOffFailsAndIsNamed() {
    SafeTensors fixture = SafeTensors.read(SharedFolder.require("parity/conv_predsim.safetensors"));
    Map<String, HostTensor> tensors = new LinkedHashMap<>(fixture.tensors());
    HostTensor gradient = tensors.get("grad.bn.weight");
    float[] values = gradient.toFloats();
    values[0] *= 1.01f;
    tensors.put("grad.bn.weight", HostTensor.of(gradient.shape(), values));
    new SafeTensors(fixture.metadata(), tensors).write(folder.resolve("off.safetensors"));

    CommandLineRunner good =
        CommandLineRunner.run("parity", "--json", SharedFolder.require("parity/conv_predsim.safetensors"));
    assertThat(good.exitCode()).as(good.out()).isZero();
    assertThat(good.events().get(0).get("passed").asBoolean()).isTrue();
    CommandLineRunner off = CommandLineRunner.run("parity", "--json", folder);
    assertThat(off.exitCode()).isEqualTo(1);
    JsonNode line = off.events().get(0);
    assertThat(line.get("event").asText()).isEqualTo("parity");
    assertThat(line.get("fixture").asText()).isEqualTo("off");
    assertThat(line.get("passed").asBoolean()).isFalse();
    assertThat(line.get("worst_tensor").asText()).isEqualTo("grad.bn.weight");
    assertThat(line.get("relative_error").asDouble()).isGreaterThan(1e-4);
    assertThat(off.lastEvent().get("failed").asInt()).isEqualTo(1);
  }

  @Test
  void whatIsNotBuiltIsSkippedAndNeverPassed() {
    SafeTensors fixture = SafeTensors.read(SharedFolder.require("parity/conv_predsim.safetensors"));
    Map<String, String> metadata = new LinkedHashMap<>(fixture.metadata());
    metadata.put("loss", "contrastive");
    new SafeTensors(metadata, fixture.tensors()).write(folder.resolve("new.safetensors"));
    CommandLineRunner run = CommandLineRunner.run("parity", "--json", folder);
    assertThat(run.exitCode()).isZero();
    assertThat(run.events().get(0).has("passed")).isFalse();
    assertThat(run.lastEvent().get("passed").asInt()).isZero();
    assertThat(run.lastEvent().get("skipped").asInt()).isEqualTo(1);
  }

  @Test
  void filesThatAreNoFixturesFail() throws IOException {
    Files.writeString(folder.resolve("text.safetensors"), "this is not a fixture at all");
    CommandLineRunner run = CommandLineRunner.run("parity", folder);
    assertThat(run.exitCode()).isEqualTo(1);
    assertThat(run.out()).contains("failed  text").contains("0 passed, 1 failed, 0 skipped");
    assertThat(CommandLineRunner.run("parity", folder.resolve("missing")).err()).contains("there is no file or folder");
    Path empty = Files.createDirectory(folder.resolve("empty"));
    assertThat(CommandLineRunner.run("parity", empty).err()).contains("has no .safetensors files");
  }
}
