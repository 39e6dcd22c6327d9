package dev.layerwise;

import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.NetworkSpec;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.ImageShape;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Settings;

/** Configurations of networks for tests: what a test names, over the published defaults, with ten classes. */
public final class TestConfigs {
  private TestConfigs() {}

  /** A network of that architecture, which may be partial, under predsim. */
  public static ModelConfig model(Architecture architecture, int channels, int side) {
    return model(architecture, Losses.DEFAULT, channels, side, null);
  }

  /**
   * A network of an architecture and losses that may be partial.
   *
   * @param channels of its square images, and their side
   * @param network null: the published one of the architecture's name
   */
  public static ModelConfig model(
      Architecture architecture, Losses losses, int channels, int side, NetworkSpec network) {
    return new ModelConfig(
        Settings.over(architecture, Architecture.DEFAULT), whole(losses), new ImageShape(channels, side, side), 10, network);
  }

  /** Without the rules for what may be asked for together. */
  private static Losses whole(Losses losses) {
    Losses usual = Losses.DEFAULT;
    Losses base =
        Boolean.TRUE.equals(losses.backprop())
            ? new Losses(
                null, true, usual.beta(), usual.alpha(), usual.lossUnsup(), usual.bio(), usual.targetProjSize(),
                usual.noDetach(), usual.dimInDecoder(), usual.similarityStd())
            : usual;
    return Settings.over(losses, base);
  }

  /** A network of that name and width. */
  public static Architecture named(String model, double featMult) {
    return new Architecture(model, featMult, null, null, null, null, null, null);
  }

  /** An mlp. */
  public static Architecture mlp(int layers, int hidden) {
    return new Architecture("mlp", null, layers, hidden, null, null, null, null);
  }
}
