package dev.layerwise.api;

import dev.layerwise.LayerwiseException;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.NetworkSpec;
import dev.layerwise.model.Networks;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.ImageShape;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Settings;
import java.nio.file.Path;
import java.util.List;

/**
 * What is trained: a published network or one of your own, and the losses that its blocks learn from. Sizes follow from
 * the images of the {@link DataSet} that it is trained on. Immutable.
 *
 * <pre>{@code
 * Network network = Network.named("vgg8b").widthFactor(0.25).loss(LocalLoss.PREDSIM).dropout(0.1).build();
 * }</pre>
 */
public final class Network {
  /** Stand for the images of a data set. */
  private static final ImageShape NO_IMAGES = new ImageShape(1, 1, 1);

  private final ModelConfig config;

  private Network(ModelConfig config) {
    this.config = config;
  }

  /**
   * A published network: {@code mlp}, {@code vgg8b}, {@code resnet18}, {@code wresnet16-8-adapted} and others.
   *
   * @param name one of {@link #names}
   * @return to say what differs from the defaults
   * @throws LayerwiseException if there is none of that name
   */
  public static Builder named(String name) {
    if (!Networks.names().contains(name)) {
      throw new LayerwiseException(
          "unknown network '" + name + "'; choose from " + String.join(", ", Networks.names()));
    }
    return new Builder(name, null);
  }

  /**
   * A network of one's own, described as {@code layerwise networks --description} prints it.
   *
   * @param file a JSON file
   * @return to say what differs from the defaults
   * @throws LayerwiseException if the file cannot be read, or does not describe a network
   */
  public static Builder described(Path file) {
    NetworkSpec description = NetworkSpec.read(file); // refuses what is no file, and so has no name
    return new Builder(file.getFileName().toString(), description);
  }

  /**
   * The published networks.
   *
   * @return names that {@link #named} takes
   */
  public static List<String> names() {
    return Networks.names();
  }

  /**
   * The blocks that the network has for a data set's images.
   *
   * @param data whose images and classes they are
   * @return in the order in which they are computed; the output layer is the last
   * @throws LayerwiseException if the network does not go with images of that size
   */
  public List<Layer> layers(DataSet data) {
    ModelConfig of = configFor(data);
    return Layer.listOf(Networks.layers(of), of);
  }

  /** The network as a run with it would have recorded it, which also has sizes that it may have no use for. */
  ModelConfig configLike(ModelConfig recorded) {
    boolean sized = Networks.variants(config.network() != null).hasLinearBlocks(config.name());
    Architecture own = config.architecture();
    Architecture recordedOne = recorded.architecture();
    Architecture architecture =
        sized ? own
            : Settings.with(own, "num_layers", recordedOne.numLayers(), "num_hidden", recordedOne.numHidden());
    return config.with(architecture, config.network()).with(recorded.images(), recorded.classes());
  }

  ModelConfig configFor(DataSet data) {
    return config.with(new ImageShape(data.channels(), data.height(), data.width()), data.classNames().size());
  }

  /** Says what differs from the published defaults. Not for several threads at a time. */
  public static final class Builder {
    private final NetworkSpec description;
    private Architecture architecture;
    private Losses losses = Settings.partial(Losses.class);

    private Builder(String name, NetworkSpec description) {
      this.description = description;
      architecture = Settings.partial(Architecture.class, "model", name);
    }

    /** Asks for more, over what was asked for before. */
    private Builder with(Architecture more) {
      architecture = Settings.over(more, architecture);
      return this;
    }

    private Builder with(Losses more) {
      losses = Settings.over(more, losses);
      return this;
    }

    /**
     * Factor of the convolutions' channels, rounded down: of a VGG, a ResNet, or a network of one's own.
     *
     * @param factor positive; 1 by default
     * @return this
     * @throws LayerwiseException if it is out of range, as all methods here do
     */
    public Builder widthFactor(double factor) {
      return with(Settings.partial(Architecture.class, "feat_mult", factor));
    }

    /**
     * Hidden linear blocks: all of an mlp, those behind a VGG's convolutions.
     *
     * @param count 0 for none; 1 by default
     * @param units of each; 1024 by default
     * @return this
     */
    public Builder hiddenLayers(int count, int units) {
      return with(
          Settings.partial(
              Architecture.class, "num_layers", count, "num_hidden", count == 0 ? null : (Integer) units));
    }

    /**
     * The loss of every hidden block.
     *
     * @param loss {@link LocalLoss#PREDSIM} by default
     * @return this
     */
    public Builder loss(LocalLoss loss) {
      return loss(loss.toString());
    }

    /**
     * The loss of every hidden block by its name.
     *
     * @param name as {@code config.json} has it: {@code predsim}; null: {@link #backpropagation}
     * @return this
     */
    public Builder loss(String name) {
      losses = losses.withLoss(name);
      return this;
    }

    /**
     * One global loss and ordinary gradients through all blocks, in place of local losses; for comparison.
     *
     * @return this
     */
    public Builder backpropagation() {
      return loss((String) null);
    }

    /**
     * Weight of the similarity loss in predsim; the prediction loss has the rest. Not for other losses.
     *
     * @param weight in [0, 1]; 0.99 by default
     * @return this
     */
    public Builder beta(double weight) {
      return with(Settings.partial(Losses.class, "beta", weight));
    }

    /**
     * An unsupervised local loss beside the supervised one.
     *
     * @param loss which it is
     * @param weight of it, in [0, 1]; the supervised loss has the rest
     * @return this
     */
    public Builder unsupervisedLoss(UnsupervisedLoss loss, double weight) {
      return unsupervisedLoss(loss.toString(), weight);
    }

    /**
     * An unsupervised local loss by its name.
     *
     * @param name as {@code config.json} has it: {@code sim} or {@code recon}
     * @param weight of it, in [0, 1]; the supervised loss has the rest
     * @return this
     */
    public Builder unsupervisedLoss(String name, double weight) {
      return with(Settings.partial(Losses.class, "alpha", weight, "loss_unsup", name));
    }

    /**
     * Local losses without backpropagation inside a block: feedback alignment and projected binary targets.
     *
     * @param targetBits bits of a projected target, at least 2; 128 in the published runs
     * @return this
     */
    public Builder bio(int targetBits) {
      return with(Settings.partial(Losses.class, "bio", true, "target_proj_size", targetBits));
    }

    /**
     * Whether the local losses' gradients flow back to earlier blocks.
     *
     * @param wanted false by default
     * @return this
     */
    public Builder connected(boolean wanted) {
      return with(Settings.partial(Losses.class, "no_detach", wanted));
    }

    /**
     * Most features that a local classifier sees; larger maps are average-pooled. Not for the loss sim, nor without
     * local losses: they have none.
     *
     * @param features positive; 4096 by default
     * @return this
     */
    public Builder dimInDecoder(int features) {
      return with(Settings.partial(Losses.class, "dim_in_decoder", features));
    }

    /**
     * Whether the similarity loss compares standard deviations over positions rather than whole maps.
     *
     * @param wanted true by default
     * @return this
     */
    public Builder similarityOfDeviations(boolean wanted) {
      return with(Settings.partial(Losses.class, "similarity_std", wanted));
    }

    /**
     * The nonlinearity of every hidden block.
     *
     * @param nonlinearity {@link Nonlinearity#RELU} by default
     * @return this
     */
    public Builder nonlinearity(Nonlinearity nonlinearity) {
      return nonlinearity(nonlinearity.toString());
    }

    /**
     * The nonlinearity of every hidden block by its name.
     *
     * @param name as {@code config.json} has it: {@code leakyrelu}
     * @return this
     */
    public Builder nonlinearity(String name) {
      return with(Settings.partial(Architecture.class, "nonlin", name));
    }

    /**
     * Probability of dropping a channel (convolutions) or a unit (linear blocks) in training.
     *
     * @param probability in [0, 1); 0 by default
     * @return this
     */
    public Builder dropout(double probability) {
      return with(Settings.partial(Architecture.class, "dropout", probability));
    }

    /**
     * Whether hidden blocks have batch normalization.
     *
     * @param wanted true by default
     * @return this
     */
    public Builder batchNorm(boolean wanted) {
      return with(Settings.partial(Architecture.class, "batch_norm", wanted));
    }

    /**
     * Whether a ResNet's blocks have batch norm and nonlinearity before the convolution.
     *
     * @param wanted false by default
     * @return this
     */
    public Builder preactivation(boolean wanted) {
      return with(Settings.partial(Architecture.class, "pre_act", wanted));
    }

    /**
     * Any setting of the network or its losses by its name in {@code config.json}: {@code "dim_in_decoder"}.
     *
     * @param name of the setting
     * @param value of its type: an Integer, a Double, a Boolean or a String
     * @return this
     * @throws IllegalArgumentException if there is no such setting, or it has another type
     */
    public Builder setting(String name, Object value) {
      return Settings.has(Architecture.class, name)
          ? with(Settings.partial(Architecture.class, name, value))
          : with(Settings.partial(Losses.class, name, value));
    }

    /**
     * The network.
     *
     * @return as it was described
     * @throws LayerwiseException if something was asked for that the network or the loss does not have
     */
    public Network build() {
      return new Network(
          new ModelConfig(
              architecture.over(Architecture.DEFAULT, Networks.variants(description != null)),
              losses.over(Losses.DEFAULT), NO_IMAGES, 2, description));
    }
  }
}
