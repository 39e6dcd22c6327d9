package dev.layerwise.model;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonUnwrapped;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.ImageShape;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Settings;
import dev.layerwise.settings.SettingsException;

/**
 * Everything that decides what a network computes, apart from its weights. It is stored with every model, so that a
 * weights file alone can be evaluated.
 *
 * @param classes that images are of
 * @param network the description of a network that a user wrote; null: the published one of the architecture's name
 */
@Settings.Group
public record ModelConfig(
    @JsonUnwrapped Architecture architecture,
    @JsonUnwrapped Losses losses,
    @JsonUnwrapped ImageShape images,
    int classes,
    @Settings.MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) NetworkSpec network) {

  /**
   * Checks that nothing is missing.
   *
   * @throws SettingsException if something is
   */
  public ModelConfig {
    Settings.requireWhole(architecture);
    Settings.requireWhole(losses);
    if (losses.backprop() != (losses.loss() == null)) {
      throw new SettingsException("{loss} is missing");
    }
  }

  /** The same losses and images with another network. */
  public ModelConfig with(Architecture other, NetworkSpec description) {
    return new ModelConfig(other, losses, images, classes, description);
  }

  /** The same network for other images. */
  public ModelConfig with(ImageShape otherImages, int otherClasses) {
    return new ModelConfig(architecture, losses, otherImages, otherClasses, network);
  }

  /**
   * Throws unless images are of the shape and of as many classes as the network was made for.
   *
   * @param owner of the network, such as "runs/a"
   * @param source where the images come from
   * @param remedy what to do if they do not fit
   */
  public void requireFits(String owner, ImageShape shape, int ofClasses, String source, String remedy) {
    images.requireFits(owner, shape, source, remedy);
    if (ofClasses != classes) {
      throw new ModelException(
          owner + " has " + classes + " classes, but " + source + " has " + ofClasses + "; " + remedy);
    }
  }

  /** What the network is called. */
  public String name() {
    return architecture.model();
  }
}
