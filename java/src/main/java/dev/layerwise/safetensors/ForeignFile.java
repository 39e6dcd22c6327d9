package dev.layerwise.safetensors;

import dev.layerwise.files.FileException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * What a file is that was given where a safetensors file is expected, and what to do about it. It is told by the file's
 * first and last bytes; nothing is unpacked or run.
 *
 * @param what the kind of file, as in "a PyTorch file"
 * @param holdsWeights whether weights are in it, so that it can be converted
 * @param remedy what to do to get a safetensors file
 */
public record ForeignFile(String what, boolean holdsWeights, String remedy) {
  private static final int LOOKED_AT_BYTES = 1 << 16;
  /** Where the JSON of a safetensors file begins. */
  private static final int JSON_AT = Long.BYTES;

  private static final String PYTORCH_NAMES = "under the names of PyTorch's state_dict";

  /**
   * Looks at a file.
   *
   * @return null if it may be a safetensors file, is of no kind that is known here, or cannot be read
   */
  public static ForeignFile recognize(Path path) {
    if (!Files.isRegularFile(path)) {
      return null;
    }
    try (SeekableByteChannel channel = Files.newByteChannel(path)) {
      String head = read(channel, 0);
      return head.startsWith("{", JSON_AT)
          ? null
          : recognize(path, head, read(channel, Math.max(0, channel.size() - LOOKED_AT_BYTES)));
    } catch (IOException e) {
      return null; // whoever reads it says why it cannot be read
    }
  }

  /** At most {@link #LOOKED_AT_BYTES} bytes, a character each. */
  private static String read(SeekableByteChannel channel, long position) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(LOOKED_AT_BYTES);
    channel.position(position);
    while (buffer.hasRemaining() && channel.read(buffer) >= 0) {
      continue;
    }
    return new String(buffer.array(), 0, buffer.position(), StandardCharsets.ISO_8859_1);
  }

  private static ForeignFile recognize(Path path, String head, String tail) {
    if (head.startsWith("PK\3\4")) {
      return zip(path, head + tail); // names are there, and in the directory at the end
    }
    if (head.startsWith("\u0080\2\u008a\nl\u00fc\u009cF\u00f9 j\u00a8P\31.")) { // torch.save before PyTorch 1.6
      return pyTorch(path);
    }
    if (head.startsWith("\u0080") && head.length() > 1 && head.charAt(1) >= 2 && head.charAt(1) <= 5) {
      return weights("a Python pickle", "load it in Python, and save its arrays " + PYTORCH_NAMES
          + " with safetensors.numpy.save_file");
    }
    if (head.startsWith("\u0089HDF\r\n\32\n")) {
      return weights("an HDF5 file, as Keras writes them", "save its arrays " + PYTORCH_NAMES
          + ", their axes in PyTorch's order, with safetensors.numpy.save_file");
    }
    if (head.startsWith("\u0093NUMPY")) {
      return weights("a single NumPy array", "save all arrays " + PYTORCH_NAMES + " with safetensors.numpy.save_file");
    }
    if (isOnnx(head)) {
      return weights("an ONNX model", inPython("import onnx.numpy_helper, safetensors.numpy as st; st.save_file("
          + "{t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(%s).graph.initializer}, %s)", path));
    }
    return withoutWeights(head);
  }

  private static ForeignFile zip(Path path, String names) {
    if (names.contains("/constants.pkl")) {
      return weights("a TorchScript file", inPython("import torch, safetensors.torch as st; st.save_file("
          + "torch.jit.load(%s, map_location='cpu').state_dict(), %s)", path));
    }
    if (names.contains("/data.pkl")) {
      return pyTorch(path);
    }
    if (names.contains(".npy")) {
      return weights("a file of NumPy arrays (.npz)", inPython("import numpy, safetensors.numpy as st; st.save_file("
          + "dict(numpy.load(%s)), %s)", path));
    }
    return packed("a zip archive");
  }

  private static ForeignFile pyTorch(Path path) {
    return weights("a PyTorch file", inPython("import torch, safetensors.torch as st; st.save_file("
        + "torch.load(%s, map_location='cpu', weights_only=True), %s)", path)
        + "; of a whole checkpoint, save the state_dict in it");
  }

  private static ForeignFile withoutWeights(String head) {
    String text = head.strip().toLowerCase(Locale.ROOT);
    if (text.startsWith("<!doctype html") || text.startsWith("<html")) {
      return new ForeignFile("an HTML page, perhaps one that a server sent instead of the file", false,
          "download the file itself");
    }
    if (text.startsWith("version https://git-lfs.github.com/")) {
      return new ForeignFile("a Git LFS pointer instead of the file itself", false, "fetch the file with 'git lfs pull'");
    }
    if (head.startsWith("\37\u008b")) {
      return packed("packed with gzip");
    }
    if (head.startsWith("\u00fd7zXZ\0")) {
      return packed("packed with xz");
    }
    if (head.startsWith("\u0028\u00b5\u002f\u00fd")) {
      return packed("packed with zstd");
    }
    return head.startsWith("BZh") ? packed("packed with bzip2") : null;
  }

  /** A protobuf message of ONNX: its version as field 1, then the producer's name or the graph. */
  private static boolean isOnnx(String head) {
    return head.length() > JSON_AT && head.charAt(0) == '\10' && head.charAt(1) > 0 && head.charAt(1) < 64
        && (head.charAt(2) == '\22' || head.charAt(2) == '\72');
  }

  private static ForeignFile weights(String what, String remedy) {
    return new ForeignFile(what, true, remedy);
  }

  private static ForeignFile packed(String what) {
    return new ForeignFile(what, false, "unpack it first");
  }

  private static String inPython(String program, Path path) {
    String name = path.getFileName().toString();
    return "convert it in Python: "
        + String.format(Locale.ROOT, program, quoted(name), quoted(name.replaceFirst("\\.[^.]*$", "") + ".safetensors"));
  }

  /** A string of Python's. */
  private static String quoted(String text) {
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'";
  }

  /** That the file is not what is expected, in a sentence. */
  FileException notSafeTensors(Path path) {
    return new FileException(path + " is " + what + ", not a safetensors file; " + remedy + ".");
  }

  /**
   * Throws if a file is of a kind that is known here, in a sentence.
   *
   * @param wanted what is expected, as in "a model of Layerwise"
   * @param otherwise what to do where the file only holds weights
   */
  public static void refuse(Path path, String wanted, String otherwise) {
    ForeignFile found = recognize(path);
    if (found != null) {
      throw new FileException(
          path + " is " + found.what + ", not " + wanted + "; " + (found.holdsWeights ? otherwise : found.remedy));
    }
  }
}
