package dev.layerwise.safetensors;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.SharedFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files that the reference implementation wrote from PyTorch. */
class SafeTensorsInteroperabilityTest {
  @Test
  void readsEveryReferenceFileAndWritesItBack(@TempDir Path folder) throws IOException {
    List<Path> files;
    try (Stream<Path> all = Files.list(SharedFolder.require("parity"))) {
      files = all.filter(path -> path.toString().endsWith(".safetensors")).sorted().toList();
    }
    assertThat(files).isNotEmpty();
    for (Path file : files) {
      SafeTensors original = SafeTensors.read(file);
      assertThat(original.metadata().get("format")).startsWith("layerwise-parity-");
      assertThat(original.tensors()).isNotEmpty();
      Path copy = folder.resolve(file.getFileName());
      original.write(copy);
      SafeTensors again = SafeTensors.read(copy);
      assertThat(again.metadata()).isEqualTo(original.metadata());
      assertThat(again.tensors().keySet()).containsExactlyElementsOf(original.tensors().keySet());
      original.tensors().forEach((name, tensor) -> {
        assertThat(again.tensors().get(name).type()).isEqualTo(tensor.type());
        assertThat(again.tensors().get(name).shape()).isEqualTo(tensor.shape());
        assertThat(again.tensors().get(name).data()).isEqualTo(tensor.data());
      });
    }
  }

  @Test
  void valuesOfOneReferenceFile() {
    SafeTensors block = SafeTensors.read(SharedFolder.require("parity/conv_predsim.safetensors"));
    int batch = Integer.parseInt(block.metadata().get("batch"));
    assertThat(block.tensors().get("y").type()).isEqualTo(ElementType.I32);
    assertThat(Arrays.stream(block.tensors().get("y").toInts())).hasSize(batch).allMatch(y -> y >= 0 && y < 10);
    assertThat(block.tensors().get("x").shape()).startsWith(batch);
    for (float value : block.tensors().get("x").toFloats()) {
      assertThat(value).isFinite();
    }
  }
}
