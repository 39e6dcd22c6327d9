package dev.layerwise.settings;

import static dev.layerwise.settings.SettingsException.require;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.annotation.JsonNaming;
import dev.layerwise.settings.Settings.MayBeAbsent;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * When hidden blocks are no longer trained: always a front part of the network, whose output is a fixed function then.
 *
 * @param freezeAfter {@code 4,6,8}: the first hidden block is frozen after epoch 4, the second after epoch 6, the third
 *     after epoch 8; {@value #AUTO}: each when it has stopped learning; null: none is frozen
 */
@JsonNaming(PropertyNamingStrategies.SnakeCaseStrategy.class)
@Settings.Group
public record Freezing(@MayBeAbsent @JsonInclude(JsonInclude.Include.NON_NULL) String freezeAfter) {
  /** All blocks are trained to the end. */
  public static final Freezing NONE = new Freezing(null);

  /** A block is frozen when it has stopped learning. */
  public static final String AUTO = "auto";

  private static final String OFF = "none";
  private static final Pattern EPOCHS = Pattern.compile("\\d{1,6}(,\\d{1,6})*");

  /** Checks the value; throws {@link SettingsException}. The value {@code none} asks for none. */
  public Freezing {
    if (freezeAfter != null && !freezeAfter.equals(AUTO) && !freezeAfter.equals(OFF)) {
      require(
          EPOCHS.matcher(freezeAfter).matches(),
          "{freeze_after} takes epochs, such as 4,6,8, or auto or none, not '" + freezeAfter + "'");
      List<Integer> epochs = epochs(freezeAfter);
      for (int i = 0; i < epochs.size(); i++) {
        require(
            epochs.get(i) >= (i == 0 ? 1 : epochs.get(i - 1)),
            "the epochs of {freeze_after} begin with 1 at least and do not fall, so that blocks freeze from the front; not "
                + freezeAfter);
      }
    }
  }

  private static List<Integer> epochs(String text) {
    return Stream.of(text.split(",")).map(Integer::valueOf).toList();
  }

  /** These over a base. */
  public Freezing over(Freezing base) {
    Freezing whole = Settings.over(this, base);
    return OFF.equals(whole.freezeAfter) ? NONE : whole;
  }

  /** Whether blocks are ever frozen. */
  public boolean freezes() {
    return freezeAfter != null && !freezeAfter.equals(OFF);
  }

  /** Whether a block's error decides when it is frozen. */
  public boolean watchesErrors() {
    return AUTO.equals(freezeAfter);
  }

  private List<Integer> epochs() {
    return freezes() && !watchesErrors() ? epochs(freezeAfter) : List.of();
  }

  /** How many hidden blocks are frozen when an epoch (counted from 1) has ended, unless it is automatic. */
  public int frozenAfter(int epoch) {
    return (int) epochs().stream().filter(last -> last <= epoch).count();
  }

  /** Throws {@link SettingsException} for a network whose blocks cannot be frozen so. */
  public void requireFit(Losses losses, int hiddenBlocks) {
    require(
        !freezes() || !losses.areConnected(),
        "{freeze_after} needs blocks that learn by themselves; with {backprop} or {no_detach} gradients travel back"
            + " through all of them");
    require(
        epochs().size() <= hiddenBlocks,
        "{freeze_after} has " + epochs().size() + " epochs, but the network has only " + hiddenBlocks
            + " hidden blocks to freeze");
  }

  /** For a schedule that is stretched by a factor. */
  public Freezing stretched(double factor) {
    return epochs().isEmpty() ? this
        : new Freezing(
            epochs().stream()
                .map(epoch -> Integer.toString(Schedule.stretch(epoch, factor)))
                .collect(Collectors.joining(",")));
  }
}
