package dev.layerwise.settings;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.List;

/**
 * What a network is made of.
 *
 * @param model name of a published network, or of the file that describes one
 * @param featMult factor of all convolution channels; the product is rounded down
 * @param numLayers hidden linear blocks: all of an mlp, those behind a VGG's features; 0 for none. Other networks have none
 * @param numHidden units of each hidden linear block
 * @param preAct whether a ResNet is made of preactivation blocks
 * @param nonlin {@code relu} or {@code leakyrelu}
 * @param dropout probability of dropping a channel (convolutions) or an element (linear blocks)
 * @param batchNorm batch normalization in every hidden block
 * @param whiten whether the first convolution's filters start as those that whiten the training images' patches; null: no
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
@Settings.Group
public record Architecture(
    String model, Double featMult, Integer numLayers, Integer numHidden, Boolean preAct, String nonlin, Double dropout,
    Boolean batchNorm, @Settings.MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) Boolean whiten) {

  /** The nonlinearities. */
  public static final List<String> NONLINEARITIES = List.of("relu", "leakyrelu");

  /** The published code's. */
  public static final Architecture DEFAULT = new Architecture("vgg8b", 1.0, 1, 1024, false, "relu", 0.0, true, null);

  /** Checks the values; throws {@link SettingsException}. */
  public Architecture {
    Rules.positive("feat_mult", featMult, 1000);
    Rules.range("num_layers", numLayers, 0, 1000);
    Rules.range("num_hidden", numHidden, 1, 1_000_000);
    Rules.oneOf("nonlin", nonlin, NONLINEARITIES);
    Rules.belowOne("dropout", dropout);
  }

  /** Which settings change the network of that name. */
  public interface Variants {
    /** Whether the width of its convolutions is for {@code feat_mult} to say. */
    boolean hasWidth(String model);

    /** Whether it has linear blocks of {@code num_hidden} units. */
    boolean hasLinearBlocks(String model);

    /** Whether it has a variant of preactivation blocks. */
    boolean hasPreactivation(String model);
  }

  /**
   * These over a base, which need not be of the same network.
   *
   * @param variants of the network that comes out
   */
  public Architecture over(Architecture base, Variants variants) {
    Architecture whole = Settings.over(this, base);
    boolean sameModel = whole.model.equals(base.model);
    requireFit(whole.model, variants);
    SettingsException.require(
        numHidden == null || whole.numLayers > 0,
        "{num_hidden} is about hidden linear blocks; with {num_layers} 0 there are none");
    boolean keepsPreactivation = preAct != null || sameModel;
    return keepsPreactivation ? whole
        : new Architecture(
            whole.model, whole.featMult, whole.numLayers, whole.numHidden, false, whole.nonlin, whole.dropout,
            whole.batchNorm, whole.whiten);
  }

  /** What was asked for must be about the network. */
  private void requireFit(String name, Variants variants) {
    SettingsException.require(
        featMult == null || featMult == 1 || variants.hasWidth(name),
        name.equals("mlp")
            ? "{feat_mult} scales convolutions; an mlp has none (its width is {num_hidden})"
            : "{feat_mult} does not go with " + name + "; a Wide ResNet has its width in its name");
    SettingsException.require(
        (numLayers == null && numHidden == null) || variants.hasLinearBlocks(name),
        "{num_layers} and {num_hidden} are about an mlp's or a VGG's linear blocks; " + name + " has none of those");
    SettingsException.require(
        !Boolean.TRUE.equals(preAct) || variants.hasPreactivation(name),
        "{pre_act} chooses the blocks of a ResNet; it does not go with " + name);
  }

  /** The same settings for another network. */
  public Architecture ofModel(String name) {
    return new Architecture(name, featMult, numLayers, numHidden, preAct, nonlin, dropout, batchNorm, whiten);
  }

  /** Whether the first convolution's filters start as whitening ones. */
  public boolean whitens() {
    return Boolean.TRUE.equals(whiten);
  }

  /** Slope of the nonlinearity for negative values: LeakyReLU(0.01) or ReLU. */
  public double negativeSlope() {
    return nonlin.equals("leakyrelu") ? 0.01 : 0;
  }
}
