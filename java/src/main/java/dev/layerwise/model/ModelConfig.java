package dev.layerwise.model;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import java.util.List;

/**
 * Everything that decides what a network computes, apart from its weights. It is stored with every
 * model, so that a weights file alone can be evaluated.
 *
 * @param model name of a published network (see {@link Networks#names()}), or of the file that describes it
 * @param featMult factor of all convolution channels; the product is rounded down
 * @param numLayers hidden linear blocks: all of an mlp, those behind a VGG's features; 0 for none. Other
 *     networks have none
 * @param numHidden units of each hidden linear block
 * @param loss the local loss, {@code pred}, {@code sim} or {@code predsim}; {@code null} exactly where
 *     {@code backprop} is true
 * @param backprop one global loss and ordinary gradients instead of local losses
 * @param beta weight of the similarity loss under predsim
 * @param alpha total local loss = alpha · unsupervised + (1 − alpha) · supervised
 * @param lossUnsup the unsupervised local loss, {@code none}, {@code sim} or {@code recon}
 * @param bio feedback alignment and projected binary targets instead of the labels' own classifier
 * @param targetProjSize bits of a projected target, under bio
 * @param noDetach let the local losses' gradients flow back to earlier blocks
 * @param dimInDecoder most features a local classifier sees
 * @param similarityStd similarity of standard deviations over positions rather than of whole maps
 * @param nonlin {@code relu} or {@code leakyrelu}
 * @param dropout probability of dropping a channel (convolutions) or an element (linear blocks)
 * @param batchNorm batch normalization in every hidden block
 * @param inputChannels channels of an image; height and width are in pixels
 * @param preAct whether a ResNet is made of preactivation blocks
 * @param network the description of a network that a user wrote; {@code null}: the published one of that name
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
public record ModelConfig(
    String model,
    double featMult,
    int numLayers,
    int numHidden,
    String loss,
    boolean backprop,
    double beta,
    double alpha,
    String lossUnsup,
    boolean bio,
    int targetProjSize,
    boolean noDetach,
    int dimInDecoder,
    boolean similarityStd,
    String nonlin,
    double dropout,
    boolean batchNorm,
    int inputChannels,
    int inputHeight,
    int inputWidth,
    int classes,
    boolean preAct,
    @JsonInclude(JsonInclude.Include.NON_NULL) NetworkSpec network) {

  /** The local losses. */
  public static final List<String> LOSSES = List.of("pred", "sim", "predsim");

  /** The unsupervised local losses. */
  public static final List<String> UNSUPERVISED_LOSSES = List.of("none", "sim", "recon");

  /** The nonlinearities. */
  public static final List<String> NONLINEARITIES = List.of("relu", "leakyrelu");

  /**
   * Checks the names and that images are not empty.
   *
   * @throws ModelException if one of them is not one that this version knows
   */
  public ModelConfig {
    require(model != null, "the network has no name");
    require(
        inputChannels > 0 && inputHeight > 0 && inputWidth > 0,
        "there are no images of " + inputChannels + "×" + inputHeight + "×" + inputWidth);
    require(
        backprop ? loss == null : LOSSES.contains(orNothing(loss)),
        "there is no loss '" + loss + "'");
    require(
        UNSUPERVISED_LOSSES.contains(orNothing(lossUnsup)),
        "there is no unsupervised loss '" + lossUnsup + "'");
    require(NONLINEARITIES.contains(orNothing(nonlin)), "there is no nonlinearity '" + nonlin + "'");
  }

  private static String orNothing(String name) {
    return name == null ? "" : name;
  }

  private static void require(boolean condition, String message) {
    if (!condition) {
      throw new ModelException(message);
    }
  }

  /** A published network in its ordinary form. */
  public ModelConfig(
      String model, double featMult, int numLayers, int numHidden, String loss, boolean backprop, double beta,
      double alpha, String lossUnsup, boolean bio, int targetProjSize, boolean noDetach, int dimInDecoder,
      boolean similarityStd, String nonlin, double dropout, boolean batchNorm, int inputChannels, int inputHeight,
      int inputWidth, int classes) {
    this(
        model, featMult, numLayers, numHidden, loss, backprop, beta, alpha, lossUnsup, bio, targetProjSize, noDetach,
        dimInDecoder, similarityStd, nonlin, dropout, batchNorm, inputChannels, inputHeight, inputWidth, classes, false,
        null);
  }

  /** The same losses and images with another network. */
  public ModelConfig withStructure(
      String otherModel, double otherFeatMult, int otherNumLayers, int otherNumHidden, boolean otherPreAct,
      NetworkSpec otherNetwork) {
    return new ModelConfig(
        otherModel, otherFeatMult, otherNumLayers, otherNumHidden, loss, backprop, beta, alpha, lossUnsup, bio,
        targetProjSize, noDetach, dimInDecoder, similarityStd, nonlin, dropout, batchNorm, inputChannels, inputHeight,
        inputWidth, classes, otherPreAct, otherNetwork);
  }

  /** The same network for other images. */
  public ModelConfig withImages(int channels, int height, int width, int otherClasses) {
    return new ModelConfig(
        model, featMult, numLayers, numHidden, loss, backprop, beta, alpha, lossUnsup, bio, targetProjSize, noDetach,
        dimInDecoder, similarityStd, nonlin, dropout, batchNorm, channels, height, width, otherClasses, preAct,
        network);
  }

  /** Slope of the nonlinearity for negative values: LeakyReLU(0.01) or ReLU. */
  public double negativeSlope() {
    return nonlin.equals("leakyrelu") ? 0.01 : 0;
  }

  /** Whether hidden blocks have a classifier of the labels: under pred and predsim, where targets are not projected. */
  public boolean hasLocalClassifiers() {
    return ("pred".equals(loss) || "predsim".equals(loss)) && !bio;
  }

  /** Factor of the global cross-entropy that trains the output layer. */
  public double outputLossScale() {
    return "predsim".equals(loss) ? 1 - beta : 1;
  }
}
