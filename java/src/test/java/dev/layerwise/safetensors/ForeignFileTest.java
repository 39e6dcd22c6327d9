package dev.layerwise.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.files.FileException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is given in place of a safetensors file is called by its name. */
class ForeignFileTest {
  @TempDir private Path folder;

  private Path file(String name, String hex) throws IOException {
    return Files.write(folder.resolve(name), HexFormat.ofDelimiter(" ").parseHex(hex));
  }

  private Path text(String name, String content) throws IOException {
    return Files.writeString(folder.resolve(name), content);
  }

  private Path zip(String name, String... entries) throws IOException {
    try (OutputStream file = Files.newOutputStream(folder.resolve(name));
        ZipOutputStream zip = new ZipOutputStream(file)) {
      for (String entry : entries) {
        zip.putNextEntry(new ZipEntry(entry));
        zip.write(new byte[100_000]);
      }
    }
    return folder.resolve(name);
  }

  private static void assertSays(Path file, String... parts) {
    assertThatThrownBy(() -> SafeTensors.read(file))
        .isInstanceOf(FileException.class)
        .message()
        .startsWith(file + " is ")
        .contains(", not a safetensors file; ")
        .contains(parts)
        .endsWith(".");
  }

  @Test
  void pyTorch() throws IOException {
    String[] how = {
      "is a PyTorch file, not",
      "import torch, safetensors.torch as st; st.save_file(torch.load('net.pt', map_location='cpu', weights_only=True),"
          + " 'net.safetensors')"
    };
    assertSays(zip("net.pt", "net/data.pkl", "net/data/0", "net/version"), how);
    // What PyTorch 1.13 writes with _use_new_zipfile_serialization=False.
    assertSays(file("net.pt", "80 02 8a 0a 6c fc 9c 46 f9 20 6a a8 50 19 2e 80 02 4d e9 03 2e 80 02 7d 71 00 28"), how);
    assertSays(zip("script.pt", "script/data/0", "script/data.pkl", "script/code/a.py", "script/constants.pkl"),
        "is a TorchScript file", "torch.jit.load('script.pt', map_location='cpu').state_dict()");
    assertSays(zip("it's \\.v2.ckpt", "archive/data.pkl"), "torch.load('it\\'s \\\\.v2.ckpt',",
        "'it\\'s \\\\.v2.safetensors')");
    Path cut = zip("cut.pt", "net/data.pkl", "net/data/0");
    Files.write(cut, Arrays.copyOf(Files.readAllBytes(cut), 60));
    assertSays(cut, "is a PyTorch file");
  }

  @Test
  void otherWeights() throws IOException {
    assertSays(file("w.pkl", "80 04 95 f7 00 00 00 00 00 00 00 7d 94"), "a Python pickle", "numpy.save_file");
    assertSays(file("w.h5", "89 48 44 46 0d 0a 1a 0a 00 00 00 00"), "an HDF5 file, as Keras", "PyTorch's order");
    assertSays(file("w.npy", "93 4e 55 4d 50 59 01 00 76 00 7b 27"), "a single NumPy array");
    assertSays(zip("w.npz", "weight.npy", "bias.npy"), "arrays (.npz)", "dict(numpy.load('w.npz')), 'w.safetensors'");
    assertSays(file("w.onnx", "08 08 12 07 70 79 74 6f 72 63 68"), "an ONNX model", "onnx.load('w.onnx')");
    assertSays(file("v.onnx", "08 07 3a b0 01 0a 30 0a 01"), "an ONNX model");
  }

  @Test
  void whatHoldsNoWeights() throws IOException {
    assertSays(text("a", "\n<!DOCTYPE html>\n<html><body>Not found"), "an HTML page", "download the file itself");
    assertSays(text("b", "<html lang=en>"), "an HTML page");
    assertSays(text("c", "version https://git-lfs.github.com/spec/v1\noid sha256:4665a5ea\nsize 65\n"), "Git LFS",
        "'git lfs pull'");
    assertSays(zip("d.zip", "model.safetensors"), "a zip archive", "unpack it first");
    assertSays(file("e.gz", "1f 8b 08 00 00 00 00 00 00 03"), "packed with gzip");
    assertSays(file("f.xz", "fd 37 7a 58 5a 00 00 04"), "packed with xz");
    assertSays(file("g.zst", "28 b5 2f fd 04 58 29 00"), "packed with zstd");
    assertSays(file("h.bz2", "42 5a 68 39 31 41 59 26"), "packed with bzip2");
  }

  @Test
  void anythingElseIsNotNamed() throws IOException {
    for (String content : new String[] {"", "x", "no weights", "{\"a\": 1}", "PK"}) {
      Path file = text("other", content);
      assertThat(ForeignFile.recognize(file)).as(content).isNull();
      assertThatThrownBy(() -> SafeTensors.read(file))
          .isInstanceOf(FileException.class)
          .hasMessageContaining("is not a safetensors file: ");
    }
    assertThat(ForeignFile.recognize(folder)).isNull();
    assertThat(ForeignFile.recognize(folder.resolve("none"))).isNull();
  }

  /** Lengths of headers whose bytes are those that a gzip file and an ONNX model begin with. */
  @ParameterizedTest
  @ValueSource(ints = {0x8b1f, 0x120608})
  void aSafetensorsFileIsNeverTakenForAnother(int length) throws IOException {
    String header = "{\"__metadata__\":{\"k\":\"" + "x".repeat(length - 25) + "\"}}";
    byte[] bytes = new byte[8 + length];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putLong(length).put(header.getBytes(StandardCharsets.UTF_8));
    Path file = Files.write(folder.resolve("long.safetensors"), bytes);
    assertThat(SafeTensors.read(file).metadata()).containsOnlyKeys("k");
    Files.write(file, Arrays.copyOf(bytes, 100));
    assertThatThrownBy(() -> SafeTensors.read(file)).hasMessageContaining("is cut off or not a safetensors file");
  }

  @Test
  void whereAModelIsWanted() throws IOException {
    Path weights = zip("net.pt", "net/data.pkl");
    assertThatThrownBy(() -> ForeignFile.refuse(weights, "a model", "train one"))
        .isInstanceOf(FileException.class)
        .hasMessage(weights + " is a PyTorch file, not a model; train one");
    Path page = text("page", "<html>");
    assertThatThrownBy(() -> ForeignFile.refuse(page, "a model", "train one"))
        .hasMessageEndingWith("not a model; download the file itself");
  }
}
