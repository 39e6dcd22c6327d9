package dev.layerwise.model;

import dev.layerwise.files.FileException;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.safetensors.ForeignFile;
import dev.layerwise.safetensors.SafeTensorsFile;
import dev.layerwise.safetensors.TensorSource;
import dev.layerwise.safetensors.MetadataJson;
import dev.layerwise.safetensors.SafeTensors;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A trained network as a safetensors file: the weights under PyTorch's names, and in the metadata what
 * is needed to build the network and to feed it: {@code model} is all that this program reads, {@code
 * network} shows any reader the blocks, in the form in which users describe networks, {@code input} says how images
 * are normalized and what the classes are called.
 *
 * @param config how to build the network
 * @param dataset name of the data set that it was trained on, whose normalization it expects
 * @param input what its images and classes are; {@code null} in files of versions that did not store it
 * @param precision that it was trained in: {@code f32}, {@code bf16} or {@code f64}; {@code null} in files of versions
 *     that did not store it
 * @param weights parameters and running statistics
 * @param file where the weights are, to be closed after their use; {@code null}: they are elsewhere
 */
public record ModelFile(
    ModelConfig config, String dataset, InputDescription input, String precision,
    Map<String, ? extends TensorSource> weights, SafeTensorsFile file)
    implements AutoCloseable {
  /** Value of the metadata's {@code format}. */
  public static final String FORMAT = "layerwise-model-1";

  /** Name of the file in a run's folder. */
  public static final String FILE_NAME = "model.safetensors";

  /** Writes the file, whole or not at all. */
  public void write(Path path) {
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("format", FORMAT);
    metadata.put("dataset", dataset);
    metadata.put("model", MetadataJson.write(config));
    metadata.put("network", MetadataJson.write(Networks.spec(config)));
    if (input != null) {
      metadata.put("input", MetadataJson.write(input));
    }
    if (precision != null) {
      metadata.put("precision", precision);
    }
    SafeTensors.write(path, metadata, weights);
  }

  /**
   * Where to use the model: a device that is free to choose its precision does not round a network that was trained in
   * float32, so that its results are those of training.
   */
  public DeviceOptions on(DeviceOptions device) {
    boolean free = device.precision().equals("auto") && !device.device().equals("reference");
    return free && "f32".equals(precision) ? device.withPrecision("f32") : device;
  }

  /**
   * Reads a model file, or the one in a run's folder.
   *
   * @throws FileException if there is none, or if it is not a whole model of this program
   */
  public static ModelFile read(Path path) {
    Path file = Files.isDirectory(path) ? path.resolve(FILE_NAME) : path;
    ForeignFile.refuse(
        file, "a model of Layerwise", "give a run's " + FILE_NAME + "; weights of another program can start a run");
    SafeTensorsFile open = SafeTensorsFile.open(file);
    try {
      return read(file, open);
    } catch (RuntimeException e) {
      open.close();
      throw e;
    }
  }

  private static ModelFile read(Path file, SafeTensorsFile open) {
    Map<String, String> metadata = open.metadata();
    if (!FORMAT.equals(metadata.get("format"))) {
      throw new FileException(
          file + " is not a model of Layerwise: its metadata has no format '" + FORMAT + "'; give a run's "
              + FILE_NAME);
    }
    ModelConfig config = MetadataJson.read(metadata.get("model"), ModelConfig.class, file, "the network's description");
    InputDescription input =
        metadata.containsKey("input")
            ? MetadataJson.read(metadata.get("input"), InputDescription.class, file, "the input's description")
            : null;
    if (input != null && !input.fits(config)) {
      throw new FileException(
          file + ": the input's description in the metadata does not fit the network's channels, size and classes");
    }
    StoredWeights.check(config, open.tensors());
    return new ModelFile(
        config, metadata.getOrDefault("dataset", ""), input, metadata.get("precision"), inFloat32(open.tensors()),
        open);
  }

  /** Real numbers as float32: someone may have halved the file. */
  private static Map<String, TensorSource> inFloat32(Map<String, TensorSource> tensors) {
    Map<String, TensorSource> converted = new LinkedHashMap<>(tensors);
    converted.replaceAll((name, tensor) -> tensor.type().isReal() ? tensor.inFloat32() : tensor);
    return converted;
  }

  /** The weights can be read no longer. */
  @Override
  public void close() {
    if (file != null) {
      file.close();
    }
  }

  /**
   * What its images and classes are.
   *
   * @param owner the file or folder, for the message
   * @throws ModelException if the file does not say
   */
  public InputDescription requireInput(String owner) {
    if (input == null) {
      throw new ModelException(
          owner + " does not say how images are normalized and what the classes are called: it was written by an older"
              + " version; resuming its finished run writes it again");
    }
    return input;
  }
}
