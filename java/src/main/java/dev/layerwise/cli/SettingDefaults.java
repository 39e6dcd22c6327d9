package dev.layerwise.cli;

import dev.layerwise.data.DataSets;
import dev.layerwise.data.stream.StreamOptions;
import dev.layerwise.recipe.Defaults;
import dev.layerwise.settings.Settings;
import java.util.Collections;
import java.util.Enumeration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.ResourceBundle;

/**
 * The defaults in help texts, taken from the settings: {@code ${bundle:default.batch_size}} in an option's description.
 * If the default for the included digits differs from that for other data sets, both are given.
 */
public class SettingDefaults extends ResourceBundle {
  private static final String PREFIX = "default.";

  private final Map<String, Object> digits;
  private final Map<String, Object> others;

  /** The defaults of training. */
  public SettingDefaults() {
    this(ofTraining("digits"), ofTraining("cifar-10"));
  }

  /** With what is no setting, but an option of the data. */
  private static Map<String, Object> ofTraining(String dataset) {
    Map<String, Object> values = new HashMap<>(Settings.values(Defaults.of(DataSets.info(dataset))));
    values.putAll(Map.of("dataset", "digits", "image_size", StreamOptions.USUAL_SIZE, "resize", "256/224 of --image-size"));
    return values;
  }

  private SettingDefaults(Map<String, Object> all) {
    this(all, all);
  }

  SettingDefaults(Map<String, Object> digits, Map<String, Object> others) {
    this.digits = digits;
    this.others = others;
  }

  /** The defaults of {@code evaluate}. */
  public static final class OfEvaluate extends SettingDefaults {
    /** Those of the data; the model says what they are. */
    public OfEvaluate() {
      super(Map.of("dataset", "the model's own", "image_size", "the model's own", "resize", "the model's own"));
    }
  }

  /** The defaults of {@code embed}. */
  public static final class OfEmbed extends SettingDefaults {
    /** Those of the data. */
    public OfEmbed() {
      super(Map.of("dataset", "none; images are embedded", "image_size", "the model's own", "resize", "the model's own"));
    }
  }

  /** The defaults of {@code bench}. */
  public static final class OfBench extends SettingDefaults {
    /** Those in {@link BenchOptions}. */
    public OfBench() {
      super(Settings.values(BenchOptions.MODEL));
    }
  }

  @Override
  protected Object handleGetObject(String key) {
    String name = key.startsWith(PREFIX) ? key.substring(PREFIX.length()) : null;
    if (name == null || !digits.containsKey(name)) {
      return null;
    }
    String one = said(digits.get(name));
    String other = said(others.get(name));
    return one.equals(other) ? one : one + " for digits, else " + other;
  }

  private static String said(Object value) {
    if (value instanceof Boolean on) {
      return on ? "on" : "off";
    }
    if (value instanceof Double number) {
      return number != 0 && Math.abs(number) < 1e-2 ? scientific(number)
          : number == Math.rint(number) ? Long.toString(Math.round(number)) : number.toString();
    }
    return value instanceof List<?> list ? String.join(" ", list.stream().map(Object::toString).toList())
        : String.valueOf(value);
  }

  /** 5e-4 for 0.0005. */
  private static String scientific(double number) {
    int exponent = (int) Math.floor(Math.log10(number));
    return new java.math.BigDecimal(Double.toString(number)).movePointLeft(exponent).stripTrailingZeros().toPlainString()
        + "e" + exponent;
  }

  @Override
  public Enumeration<String> getKeys() {
    return Collections.enumeration(digits.keySet().stream().map(name -> PREFIX + name).toList());
  }
}
