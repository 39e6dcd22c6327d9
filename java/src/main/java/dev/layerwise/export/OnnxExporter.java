package dev.layerwise.export;

import dev.layerwise.files.AtomicFiles;
import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.model.InputDescription;
import dev.layerwise.model.LayerSpec;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.ModelException;
import dev.layerwise.model.ModelFile;
import dev.layerwise.model.Networks;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeLibrary;
import dev.layerwise.safetensors.HostTensor;
import dev.layerwise.safetensors.MetadataJson;
import dev.layerwise.safetensors.TensorSource;
import dev.layerwise.settings.Optimizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import onnx.Onnx.ModelProto;
import onnx.Onnx.OperatorSetIdProto;
import onnx.Onnx.StringStringEntryProto;

/**
 * Writes a model as an ONNX file: the network as it is when it is evaluated (running statistics, no dropout), of
 * operators of the default domain only. Its input {@code images} is a batch of any size, float32 in (N, C, H, W) order,
 * normalized: (level / 255 − mean) / deviation per channel. Its outputs are {@code logits} and, where they are wanted,
 * the local classifiers' {@code LAYER.local_logits}; all (N, classes). A network that is cut has the {@code logits} of its
 * last layer's local classifier, and the metadata {@code layerwise.layer} names that layer. The metadata {@code
 * layerwise.input} holds mean, deviation and class names, as JSON.
 */
public final class OnnxExporter {
  /** Version of the operators. Runtimes keep running older ones. */
  public static final int OPSET = 17;

  /** The version of the file format that goes with the operators. */
  private static final int IR_VERSION = 8;

  /** The format's limit for one file of protocol buffers. */
  private static final long MOST_BYTES = Integer.MAX_VALUE;
  private static final long ROOM_FOR_THE_GRAPH = 16 << 20;

  private static final float BATCH_NORM_EPSILON = 1e-5f; // the native library's

  private final ModelConfig config;
  private final ModelFile file;
  private final List<LayerSpec> layers;
  private final int last; // position of the layer whose classifier's logits are the output
  private final boolean localClassifiers;
  private final OnnxGraph graph;
  /** Of the blocks so far. */
  private final List<Value> outputs = new ArrayList<>();
  private final List<String> localOutputs = new ArrayList<>();

  /**
   * What passes between operators.
   *
   * @param flat whether it is (N, features) and not (N, C, H, W)
   */
  private record Value(String name, boolean flat) {}

  private OnnxExporter(ModelFile file, String layer, boolean localClassifiers) {
    this.file = file;
    this.localClassifiers = localClassifiers;
    config = file.config();
    layers = Networks.layers(config);
    last = layer == null ? layers.size() - 1 : Networks.position(layers, layer);
    graph = new OnnxGraph(config.name());
  }

  /**
   * Writes the file, whole or not at all.
   *
   * @param owner of the network, such as "runs/a", for messages
   * @param layer name or number of the layer behind whose classifier the network is cut; {@code null}: the output layer
   * @param localClassifiers whether the local classifiers of the blocks before it are outputs, too
   * @return names of the outputs
   * @throws ModelException if the model has no local classifiers, or no such layer, does not say what its input is, is too
   *     large, or its weights do not fit its network
   */
  public static List<String> write(ModelFile file, String owner, String layer, boolean localClassifiers, Path to) {
    InputDescription input = file.requireInput(owner);
    if (localClassifiers && !file.config().losses().hasLocalClassifiers()) {
      throw new ModelException(
          owner + " has no local classifiers: only networks trained with the loss pred or predsim, and not with"
              + " bio, do");
    }
    long bytes = file.weights().values().stream().mapToLong(TensorSource::byteCount).sum();
    if (bytes > MOST_BYTES - ROOM_FOR_THE_GRAPH) {
      throw new ModelException(
          owner + " has " + bytes + " bytes of weights, more than the 2 GiB that an ONNX file holds");
    }
    OnnxExporter exporter = new OnnxExporter(file, layer, localClassifiers);
    try (NativeContext context = NativeContext.create("cpu", 1, 0);
        DeviceNetwork network = new DeviceNetwork(context, file.config(), Optimizer.STATELESS)) {
      network.setWeights(file.weights()); // which checks that they are all there, in their shapes
      network.requireClassifier(network.layers().get(exporter.last));
    }
    ModelProto model = exporter.model(input);
    AtomicFiles.write(to, model::writeTo);
    List<String> names = new ArrayList<>(List.of("logits"));
    names.addAll(exporter.localOutputs);
    return names;
  }

  private ModelProto model(InputDescription input) {
    graph.input(
        "images",
        "levels / 255, minus the mean and divided by the deviation of their channel: see the metadata layerwise.input",
        config.images().channels(), config.images().height(), config.images().width());
    boolean cut = last < layers.size() - 1;
    boolean[] needed = Networks.needed(layers, last);
    for (int i = 0; i <= last; i++) {
      outputs.add(needed[i] ? block(layers.get(i)) : null);
    }
    graph.output(
        "logits", cut ? "of the local classifier of " + layers.get(last).name() + ", before softmax"
            : "of the output layer, before softmax", config.classes());
    for (String name : localOutputs) {
      graph.output(name, "of the layer's local classifier, before softmax", config.classes());
    }
    ModelProto.Builder model = ModelProto.newBuilder();
    if (cut) {
      model.addMetadataProps(metadata("layerwise.layer", layers.get(last).name()));
    }
    return model
        .setIrVersion(IR_VERSION)
        .addOpsetImport(OperatorSetIdProto.newBuilder().setDomain("").setVersion(OPSET))
        .setProducerName("Layerwise")
        .setProducerVersion(NativeLibrary.version())
        .setGraph(graph.build())
        .addMetadataProps(metadata("layerwise.input", MetadataJson.write(input)))
        .addMetadataProps(metadata("layerwise.network", MetadataJson.write(Networks.spec(config))))
        .build();
  }

  private static StringStringEntryProto metadata(String key, String value) {
    return StringStringEntryProto.newBuilder().setKey(key).setValue(value).build();
  }

  private Value block(LayerSpec layer) {
    Value x = source(layer.input());
    return switch (layer.kind()) {
      case CONVOLUTION, LINEAR -> local(layer, x);
      case PREACTIVATION -> preactivation(layer, x);
      case SHORTCUT -> {
        Value y = convolution(layer, map(layer, x), "0.");
        yield layer.block().batchNorm() && config.architecture().batchNorm() ? batchNorm(layer, y, "1.") : y;
      }
      case HEAD -> head(layer, map(layer, x));
      case OUTPUT -> linear(layer, x, "", true, "logits");
    };
  }

  private Value source(int position) {
    return position == LayerSpec.IMAGES ? new Value("images", false) : outputs.get(position);
  }

  /** h = act(batch_norm(W ∗ x + b) [+ shortcut]); output = max_pool(h) */
  private Value local(LayerSpec layer, Value x) {
    boolean linear = layer.kind() == LayerSpec.Kind.LINEAR;
    Value y = linear
        ? linear(layer, x, "encoder.", layer.block().bias(), layer.name() + ".linear")
        : convolution(layer, map(layer, x), "encoder.");
    if (config.architecture().batchNorm()) {
      y = batchNorm(layer, y, "bn.");
    }
    Value h = activate(layer, joined(layer, y), "activation", config.architecture().negativeSlope());
    if (isWanted(layer)) {
      localClassifier(layer, h);
    }
    return layer.maxPool() && !isLast(layer) ? maxPool(layer, h) : h;
  }

  /** s = W ∗ act(batch_norm(x)) + b [+ shortcut]; the local classifier sees act(batch_norm'(s)) */
  private Value preactivation(LayerSpec layer, Value x) {
    Value a = map(layer, x);
    if (layer.block().normalizeInput()) {
      a = activate(layer, batchNorm(layer, a, "bn_pre."), "activation_pre", config.architecture().negativeSlope());
    }
    Value s = joined(layer, convolution(layer, a, "encoder."));
    if (isWanted(layer)) {
      localClassifier(layer, activate(layer, batchNorm(layer, s, "bn."), "activation", config.architecture().negativeSlope()));
    }
    return s;
  }

  private Value head(LayerSpec layer, Value x) {
    Value y = layer.block().batchNorm() && config.architecture().batchNorm() ? batchNorm(layer, x, "") : x;
    Value h = layer.block().relu() ? activate(layer, y, "activation", 0) : y;
    int window = layer.block().averagePool();
    if (layer.maxPool()) {
      return maxPool(layer, h);
    }
    return window == 1 ? h : averagePool(layer, h, new LocalPooling(window, window, 0, 0));
  }

  private boolean isLast(LayerSpec layer) {
    return layer == layers.get(last);
  }

  /** Whether a local classifier is an output. */
  private boolean isWanted(LayerSpec layer) {
    return localClassifiers || isLast(layer);
  }

  private void localClassifier(LayerSpec layer, Value h) {
    LocalPooling pooling = pooling(layer);
    Value pooled = pooling.isIdentity() ? h : averagePool(layer, h, pooling);
    String name = isLast(layer) ? "logits" : layer.name() + ".local_logits";
    linear(layer, pooled, "decoder_y.", true, name);
    if (!isLast(layer)) {
      localOutputs.add(name);
    }
  }

  /** The classifier sees the maps before max-pooling, which halves them rounding down. */
  private LocalPooling pooling(LayerSpec layer) {
    if (layer.kind() == LayerSpec.Kind.LINEAR) {
      return LocalPooling.NONE;
    }
    int height = layer.convolvedHeight();
    int width = layer.convolvedWidth();
    return LocalPooling.of(layer.outChannels(), height, width, config.losses().dimInDecoder());
  }

  // ---- operators ----------------------------------------------------------------------------------

  private Value convolution(LayerSpec layer, Value x, String tensors) {
    List<String> inputs = new ArrayList<>(List.of(x.name(), weight(layer, tensors + "weight")));
    if (layer.block().bias()) {
      inputs.add(weight(layer, tensors + "bias"));
    }
    int padding = layer.padding();
    return new Value(
        graph.node("Conv", layer.name() + ".convolution", inputs.toArray(new String[0]))
            .with("kernel_shape", layer.kernel(), layer.kernel())
            .with("strides", layer.stride(), layer.stride())
            .with("pads", padding, padding, padding, padding)
            .add(),
        false);
  }

  private Value linear(LayerSpec layer, Value x, String tensors, boolean bias, String name) {
    List<String> inputs = new ArrayList<>(List.of(flat(name, x).name(), weight(layer, tensors + "weight")));
    if (bias) {
      inputs.add(weight(layer, tensors + "bias"));
    }
    return new Value(graph.node("Gemm", name, inputs.toArray(new String[0])).with("transB", 1).add(), true);
  }

  private Value batchNorm(LayerSpec layer, Value x, String tensors) {
    String name = layer.name() + "." + (tensors.isEmpty() ? "batch_norm" : tensors + "batch_norm");
    return new Value(
        graph.node(
                "BatchNormalization", name, x.name(), weight(layer, tensors + "weight"),
                weight(layer, tensors + "bias"), weight(layer, tensors + "running_mean"),
                weight(layer, tensors + "running_var"))
            .with("epsilon", BATCH_NORM_EPSILON)
            .add(),
        x.flat());
  }

  private Value joined(LayerSpec layer, Value y) {
    if (!layer.joinsShortcut()) {
      return y;
    }
    Value shortcut = map(layer, source(layer.shortcut()));
    return new Value(graph.node("Add", layer.name() + ".sum", y.name(), shortcut.name()).add(), y.flat());
  }

  private Value activate(LayerSpec layer, Value x, String name, double negativeSlope) {
    String output = layer.name() + "." + name;
    return new Value(
        negativeSlope == 0
            ? graph.node("Relu", output, x.name()).add()
            : graph.node("LeakyRelu", output, x.name()).with("alpha", (float) negativeSlope).add(),
        x.flat());
  }

  private Value maxPool(LayerSpec layer, Value x) {
    return new Value(
        graph.node("MaxPool", layer.name() + ".max_pool", x.name())
            .with("kernel_shape", 2, 2)
            .with("strides", 2, 2)
            .add(),
        false);
  }

  private Value averagePool(LayerSpec layer, Value x, LocalPooling pooling) {
    int padHeight = pooling.paddingHeight();
    int padWidth = pooling.paddingWidth();
    return new Value(
        graph.node("AveragePool", layer.name() + ".average_pool", x.name())
            .with("kernel_shape", pooling.kernelHeight(), pooling.kernelWidth())
            .with("strides", pooling.kernelHeight(), pooling.kernelWidth())
            .with("pads", padHeight, padWidth, padHeight, padWidth)
            .with("count_include_pad", 1)
            .add(),
        false);
  }

  /** Features in channel, row, column order, for the operator of that name. */
  private Value flat(String reader, Value x) {
    return x.flat() ? x : new Value(graph.node("Flatten", reader + ".flatten", x.name()).with("axis", 1).add(), true);
  }

  /** Units of a linear block as maps of one position. */
  private Value map(LayerSpec reader, Value x) {
    if (!x.flat()) {
      return x;
    }
    String name = reader.name() + ".map_of." + x.name();
    return new Value(graph.node("Unsqueeze", name, x.name(), graph.constant(name + ".axes", 2, 3)).add(), false);
  }

  private String weight(LayerSpec layer, String tensor) {
    String name = layer.name() + "." + tensor;
    return graph.constant(name, HostTensor.copyOf(file.weights().get(name)));
  }
}
