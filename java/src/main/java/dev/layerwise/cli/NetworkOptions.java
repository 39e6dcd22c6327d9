package dev.layerwise.cli;

import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.NetworkSpec;
import dev.layerwise.model.Networks;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.Settings;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Locale;
import picocli.CommandLine.Option;

/** The network's architecture. An absent option keeps the default. */
class NetworkOptions {
  /** Candidates for completion and help. */
  static final class Models extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Models() {
      super(Networks.names());
    }
  }

  @Option(
      names = "--model",
      paramLabel = "NAME",
      completionCandidates = Models.class,
      description = "One of ${COMPLETION-CANDIDATES}, or a .json file that describes a network (see 'layerwise networks"
          + " --help'). Default: ${bundle:default.model}.")
  String model;

  @Option(
      names = "--pre-act",
      description = "For a ResNet: put batch norm and nonlinearity before the convolution. Default:"
          + " ${bundle:default.pre_act}.")
  boolean preAct;

  @Option(
      names = "--feat-mult",
      paramLabel = "X",
      description = "Multiply the convolutions' channels by X, in a VGG, a ResNet or a network from a file. Default:"
          + " ${bundle:default.feat_mult}.")
  Double featMult;

  @Option(
      names = "--num-layers",
      paramLabel = "N",
      description = "Number of hidden linear blocks: all of an mlp's, or those after a VGG's convolutions (may be 0)."
          + " Default: ${bundle:default.num_layers}.")
  Integer numLayers;

  @Option(
      names = "--num-hidden",
      paramLabel = "N",
      description = "Units in each hidden linear block. Default: ${bundle:default.num_hidden}.")
  Integer numHidden;

  /** Whether an option other than {@code --model} changes the network. */
  final boolean changes() {
    return preAct || featMult != null || numLayers != null || numHidden != null;
  }

  /** The requested architecture; partial. */
  Architecture architecture() {
    String name = model == null ? null : namesFile() ? Path.of(model).getFileName().toString() : lower(model);
    return Settings.partial(
        Architecture.class, "model", name, "feat_mult", featMult, "num_layers", numLayers, "num_hidden", numHidden,
        "pre_act", onlyIf(preAct));
  }

  /** A base's losses and images with the network of these options. */
  final ModelConfig networkOver(ModelConfig base) {
    NetworkSpec description = description(base);
    Architecture whole = architecture().over(base.architecture(), Networks.variants(description != null));
    return base.with(whole, description);
  }

  private boolean namesFile() {
    return model.toLowerCase(Locale.ROOT).endsWith(".json");
  }

  /** What the file says, or what was recorded of it; null for a published network. */
  private NetworkSpec description(ModelConfig base) {
    if (model == null) {
      return base.network();
    }
    if (namesFile()) {
      return NetworkSpec.read(Path.of(model));
    }
    Checks.usage(
        Networks.names().contains(lower(model)),
        "--model: unknown network '" + model + "'; give a .json file or one of " + String.join(", ", Networks.names()));
    return null;
  }

  static String lower(String name) {
    return name == null ? null : name.toLowerCase(Locale.ROOT);
  }

  /** True for a given flag, null otherwise. */
  static Boolean onlyIf(boolean given) {
    return given ? true : null;
  }
}
