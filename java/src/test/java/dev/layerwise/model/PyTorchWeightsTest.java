package dev.layerwise.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.TestConfigs;
import dev.layerwise.TestTensors;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeTensor;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Optimizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A state_dict that PyTorch wrote is taken as weights. Skipped without PyTorch and its safetensors. */
class PyTorchWeightsTest {
  /** Takes the file to write; prints the network's logits for four images. */
  private static final String PROGRAM =
      """
      import sys, torch
      from torch import nn
      from safetensors.torch import save_file

      class Block(nn.Module):
        def __init__(self, inputs, units):
          super().__init__()
          self.encoder = nn.Linear(inputs, units)
          self.bn = nn.BatchNorm1d(units)

      class DeviceNetwork(nn.Module):
        def __init__(self):
          super().__init__()
          self.layers = nn.ModuleList([Block(64, 16), Block(16, 16)])
          self.layer_out = nn.Linear(16, 10)
        def forward(self, x):
          for block in self.layers:
            x = nn.functional.relu(block.bn(block.encoder(x)))
          return self.layer_out(x)

      torch.manual_seed(3)
      network = DeviceNetwork()
      network(torch.randn(32, 64))  # moves the running statistics
      network.eval()
      save_file(network.state_dict(), sys.argv[1])
      images = (torch.arange(256, dtype=torch.float32) * 37).remainder(101).div(50).sub(1).reshape(4, 64)
      print(*network(images).flatten().tolist())
      """;

  @TempDir private Path folder;

  @Test
  void theNetworkComputesTheSame() throws IOException, InterruptedException {
    Path weights = folder.resolve("torch.safetensors");
    Path program = Files.writeString(folder.resolve("make.py"), PROGRAM);
    String[] printed = python(program.toString(), weights.toString()).split(" ");
    double[] expected = Arrays.stream(printed).mapToDouble(Double::parseDouble).toArray();
    float[] images = new float[256];
    for (int i = 0; i < images.length; i++) {
      images[i] = i * 37 % 101 / 50f - 1;
    }
    ModelConfig config =
        TestConfigs.model(TestConfigs.mlp(2, 16), Losses.BACKPROP, 1, 8, null);
    try (NativeContext context = NativeContext.create(DeviceOptions.of("cpu", 1).withPrecision("f32"), 1);
        DeviceNetwork network = new DeviceNetwork(context, config, Optimizer.DEFAULT)) {
      WeightImport.load(weights, network, false);
      try (NativeTensor x = context.tensor(images, 4, 1, 8, 8);
          NativeTensor logits = network.evaluate(x, null)) {
        float[] actual = logits.read();
        assertThat(actual).hasSize(40);
        for (int i = 0; i < actual.length; i++) {
          // Logits below 3, sums of at most 64 float32 products in three layers: 3 · 64 · 2⁻²⁴ · 3.
          assertThat(Math.abs(actual[i] - expected[i]) <= 4e-5).as("%s against %s", actual[i], expected[i]).isTrue();
        }
      }
      assertThat(TestTensors.copy(network.optimizerState()).values()).allSatisfy(
          state -> assertThat(state.toFloats()).containsOnly(0));
    }
  }

  private static String python(String... arguments) throws IOException, InterruptedException {
    String[] command = new String[arguments.length + 1];
    command[0] = "python3";
    System.arraycopy(arguments, 0, command, 1, arguments.length);
    try {
      Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
      String output = new String(process.getInputStream().readAllBytes()).strip();
      Assumptions.assumeTrue(process.waitFor() == 0, "python3 has no torch or no safetensors");
      return output;
    } catch (IOException e) {
      Assumptions.abort("python3 is not installed");
      throw e;
    }
  }
}
