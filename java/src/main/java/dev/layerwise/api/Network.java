package dev.layerwise.api;

import dev.layerwise.LayerwiseException;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.NetworkSpec;
import dev.layerwise.model.Networks;
import java.nio.file.Path;
import java.util.List;

/**
 * What is trained: a published network or one of your own, and the losses that its blocks learn from. Sizes follow from
 * the images of the {@link DataSet} that it is trained on. Immutable.
 *
 * <pre>{@code
 * Network network = Network.named("vgg8b").widthFactor(0.25).loss("predsim").dropout(0.1).build();
 * }</pre>
 */
public final class Network {
  /** For images of no size yet. */
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
          "there is no network '" + name + "'; there are: " + String.join(", ", Networks.names()));
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
    boolean sized = config.network() == null && Networks.hasLinearBlocks(config.model());
    return config
        .withStructure(
            config.model(), config.featMult(), sized ? config.numLayers() : recorded.numLayers(),
            sized ? config.numHidden() : recorded.numHidden(), config.preAct(), config.network())
        .withImages(
            recorded.inputChannels(), recorded.inputHeight(), recorded.inputWidth(), recorded.classes());
  }

  ModelConfig configFor(DataSet data) {
    return config.withImages(data.channels(), data.height(), data.width(), data.classNames().size());
  }

  /** Says what differs from the published defaults. Not for several threads at a time. */
  public static final class Builder {
    private final String name;
    private final NetworkSpec description;
    // What is null was not asked for; what was must go with the network and the loss.
    private Double widthFactor;
    private Integer hiddenLayers;
    private Integer hiddenUnits;
    private String loss = "predsim";
    private Double beta;
    private Integer dimInDecoder;
    private String nonlinearity = "relu";
    private double dropout;
    private boolean batchNorm = true;
    private boolean preactivation;

    private Builder(String name, NetworkSpec description) {
      this.name = name;
      this.description = description;
    }

    /**
     * Factor of the convolutions' channels, rounded down: of a VGG, a ResNet, or a network of one's own.
     *
     * @param factor positive; 1 by default
     * @return this
     */
    public Builder widthFactor(double factor) {
      widthFactor = factor;
      return this;
    }

    /**
     * Hidden linear blocks: all of an mlp, those behind a VGG's convolutions.
     *
     * @param count 0 for none; 1 by default
     * @param units of each; 1024 by default
     * @return this
     */
    public Builder hiddenLayers(int count, int units) {
      hiddenLayers = count;
      hiddenUnits = units;
      return this;
    }

    /**
     * The loss of every hidden block.
     *
     * @param name {@code predsim} (the default), {@code pred} or {@code sim}; {@code null}: none, one global loss and
     *     backpropagation instead
     * @return this
     */
    public Builder loss(String name) {
      loss = name;
      return this;
    }

    /**
     * Weight of the similarity loss in predsim; the prediction loss has the rest. Not for other losses.
     *
     * @param weight in [0, 1]; 0.99 by default
     * @return this
     */
    public Builder beta(double weight) {
      beta = weight;
      return this;
    }

    /**
     * Most features that a local classifier sees; larger maps are average-pooled. Not for the loss sim, nor without
     * local losses: they have none.
     *
     * @param features positive; 4096 by default
     * @return this
     */
    public Builder dimInDecoder(int features) {
      dimInDecoder = features;
      return this;
    }

    /**
     * The nonlinearity of every hidden block.
     *
     * @param name {@code relu} (the default) or {@code leakyrelu}
     * @return this
     */
    public Builder nonlinearity(String name) {
      nonlinearity = name;
      return this;
    }

    /**
     * Probability of dropping a channel (convolutions) or a unit (linear blocks) in training.
     *
     * @param probability in [0, 1); 0 by default
     * @return this
     */
    public Builder dropout(double probability) {
      dropout = probability;
      return this;
    }

    /**
     * Whether hidden blocks have batch normalization.
     *
     * @param wanted true by default
     * @return this
     */
    public Builder batchNorm(boolean wanted) {
      batchNorm = wanted;
      return this;
    }

    /**
     * Whether a ResNet's blocks have batch norm and nonlinearity before the convolution.
     *
     * @param wanted false by default
     * @return this
     */
    public Builder preactivation(boolean wanted) {
      preactivation = wanted;
      return this;
    }

    /**
     * The network.
     *
     * @return as it was described
     * @throws LayerwiseException if a loss or nonlinearity has a name that there is not, a number is out of its range,
     *     or something was asked for that the network or the loss does not have
     */
    public Network build() {
      boolean published = description == null;
      Integer units = hiddenLayers != null && hiddenLayers == 0 ? null : hiddenUnits;
      Trainer.RULES.sizes(widthFactor, hiddenLayers, units);
      Trainer.RULES.structure(name, published, widthFactor, hiddenLayers, units, preactivation);
      Trainer.RULES.losses(loss, false, beta, dimInDecoder);
      Trainer.RULES.dropout(dropout);
      return new Network(
          new ModelConfig(
              name, or(widthFactor, 1.0), or(hiddenLayers, 1), or(units, 1024), loss, loss == null, or(beta, 0.99), 0,
              "none", false, 128, false, or(dimInDecoder, 4096), true, nonlinearity, dropout, batchNorm, 1, 1, 1, 2,
              preactivation, description));
    }

    private static <T> T or(T given, T usual) {
      return given == null ? usual : given;
    }
  }
}
