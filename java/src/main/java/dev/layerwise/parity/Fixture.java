package dev.layerwise.parity;

import dev.layerwise.LayerwiseException;
import dev.layerwise.files.FileException;
import dev.layerwise.model.Networks;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.safetensors.SafeTensors;
import java.nio.file.Path;

/** One reference file: its settings and its tensors. */
final class Fixture {
  private static final String BLOCK = "layerwise-parity-block-1";
  private static final String NETWORK = "layerwise-parity-network-1";

  private final String name;
  private final SafeTensors contents;

  private Fixture(String name, SafeTensors contents) {
    this.name = name;
    this.contents = contents;
  }

  /** Replays a file on a device. A broken file is a failure, not an exception. */
  static ParityResult replay(Path file, DeviceOptions device) {
    String name = file.getFileName().toString().replaceFirst("\\.safetensors$", "");
    try {
      Fixture fixture = new Fixture(name, SafeTensors.read(file));
      String unsupported = fixture.unsupported();
      if (unsupported != null) {
        return ParityResult.skipped(name, unsupported);
      }
      try (NativeContext context = NativeContext.create(device, 0)) {
        return fixture.text("format").equals(BLOCK)
            ? BlockReplay.run(fixture, context)
            : NetworkReplay.run(fixture, context);
      }
    } catch (LayerwiseException e) {
      return ParityResult.failed(name, e.getMessage());
    }
  }

  /** What of this fixture is not built, or {@code null}. */
  private String unsupported() {
    String format = contents.metadata().getOrDefault("format", "none");
    if (!format.equals(BLOCK) && !format.equals(NETWORK)) {
      throw new FileException("its format is '" + format + "', not a parity file's");
    }
    if (!text("loss").matches("pred|sim|predsim")) {
      return "unknown loss '" + text("loss") + "'";
    }
    if (!text("unsupervised").matches("none|sim|recon")) {
      return "unknown unsupervised loss '" + text("unsupervised") + "'";
    }
    if (format.equals(BLOCK) ? !text("kind").matches("conv|linear") : !Networks.names().contains(text("model"))) {
      return "unknown kind of block or network";
    }
    return null;
  }

  String name() {
    return name;
  }

  SafeTensors contents() {
    return contents;
  }

  String text(String key) {
    String value = contents.metadata().get(key);
    if (value == null) {
      throw new FileException("its settings lack '" + key + "'");
    }
    return value;
  }

  boolean flag(String key) {
    return text(key).equals("1");
  }

  /** A setting that older files do not have. */
  boolean flagOr(String key, boolean usual) {
    return contents.metadata().containsKey(key) ? flag(key) : usual;
  }

  int integer(String key) {
    return (int) number(key);
  }

  double number(String key) {
    try {
      return Double.parseDouble(text(key));
    } catch (NumberFormatException e) {
      throw new FileException("its setting '" + key + "' is not a number: " + text(key));
    }
  }

  double negativeSlope() {
    return text("nonlinearity").equals("leakyrelu") ? 0.01 : 0;
  }

  HostTensor tensor(String key) {
    HostTensor tensor = contents.tensors().get(key);
    if (tensor == null) {
      throw new FileException("it lacks the tensor '" + key + "'");
    }
    return tensor;
  }
}
