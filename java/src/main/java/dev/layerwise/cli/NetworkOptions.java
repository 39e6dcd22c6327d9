package dev.layerwise.cli;

import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.NetworkSpec;
import dev.layerwise.model.Networks;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Locale;
import picocli.CommandLine.Option;

/** What a network is made of. An option that is absent ({@code null}) leaves the default. */
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
      description = "One of ${COMPLETION-CANDIDATES}, or a .json file that describes a network"
          + " ('layerwise networks' shows how). Default: ${bundle:usual.model:-mlp for digits, else vgg8b}.")
  String model;

  @Option(
      names = "--pre-act",
      description = "A ResNet's blocks with batch norm and nonlinearity before the convolution. Default: off.")
  boolean preAct;

  @Option(
      names = "--feat-mult",
      paramLabel = "X",
      description = "Factor of the convolutions' channels: of a VGG, a ResNet, or a network from a file. Default: 1.")
  Double featMult;

  @Option(
      names = "--num-layers",
      paramLabel = "N",
      description = "Hidden linear blocks: all of an mlp's, or those behind a VGG's features; 0 for none."
          + " Default: ${bundle:usual.num-layers:-3 for digits, else 1}.")
  Integer numLayers;

  @Option(
      names = "--num-hidden",
      paramLabel = "N",
      description = "Units of a hidden linear block. Default: ${bundle:usual.num-hidden:-256 for digits, else 1024}.")
  Integer numHidden;

  /** Whether an option is given that changes a network; {@code --model} names one. */
  final boolean changes() {
    return preAct || featMult != null || numLayers != null || numHidden != null;
  }

  /** A base's losses and images with the network that these options give it. */
  final ModelConfig structureOver(ModelConfig base) {
    Checks.SETTINGS.sizes(featMult, numLayers, numHidden);
    NetworkSpec network = network(base);
    String name = model == null ? base.model() : namesFile() ? fileName() : lower(model);
    Checks.SETTINGS.structure(name, network == null, featMult, numLayers, numHidden, preAct);
    Checks.usage(
        numHidden == null || Checks.or(numLayers, base.numLayers()) > 0,
        "--num-hidden is about hidden linear blocks; with --num-layers 0 there are none");
    return base.withStructure(
        name,
        Checks.or(featMult, base.featMult()),
        Checks.or(numLayers, base.numLayers()),
        Checks.or(numHidden, base.numHidden()),
        preAct || (base.preAct() && name.equals(base.model())),
        network);
  }

  private boolean namesFile() {
    return model.toLowerCase(Locale.ROOT).endsWith(".json");
  }

  private String fileName() {
    return Path.of(model).getFileName().toString();
  }

  /** What the file says, or what was recorded of it; {@code null} for a published network. */
  private NetworkSpec network(ModelConfig base) {
    if (model == null) {
      return base.network();
    }
    if (namesFile()) {
      return NetworkSpec.read(Path.of(model));
    }
    Checks.usage(
        Networks.names().contains(lower(model)),
        "--model knows no '" + model + "'; it takes a .json file or one of " + String.join(", ", Networks.names()));
    return null;
  }

  static String lower(String name) {
    return name == null ? null : name.toLowerCase(Locale.ROOT);
  }
}
