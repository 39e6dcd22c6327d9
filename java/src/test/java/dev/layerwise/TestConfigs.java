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
    boolean global = Boolean.TRUE.equals(losses.backprop());
    return Settings.over(losses, global ? Losses.DEFAULT.withLoss(null) : Losses.DEFAULT);
  }

  /** A network of that name and width. */
  public static Architecture named(String model, double featMult) {
    return Settings.partial(Architecture.class, "model", model, "feat_mult", featMult);
  }

  /** An mlp. */
  public static Architecture mlp(int layers, int hidden) {
    return Settings.partial(Architecture.class, "model", "mlp", "num_layers", layers, "num_hidden", hidden);
  }
}
