package dev.layerwise.run;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.layerwise.Json;
import dev.layerwise.LayerwiseException;
import dev.layerwise.data.DataSets;
import dev.layerwise.files.FileErrors;
import dev.layerwise.files.FileException;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.NetworkSpec;
import dev.layerwise.model.Networks;
import dev.layerwise.nativelib.DeviceOptions;
import dev.layerwise.settings.Architecture;
import dev.layerwise.settings.Augmentation;
import dev.layerwise.settings.Batches;
import dev.layerwise.settings.Freezing;
import dev.layerwise.settings.ImageShape;
import dev.layerwise.settings.Losses;
import dev.layerwise.settings.Optimizer;
import dev.layerwise.settings.Schedule;
import dev.layerwise.settings.Settings;
import dev.layerwise.settings.SettingsException;
import java.io.IOException;
import java.lang.reflect.Type;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * Settings in a JSON file that a user wrote, or that a run wrote as its {@code config.json}. They have the names that they have
 * there, and lie in its parts ({@code model}, {@code optimizer}, {@code training}, {@code device}) or beside them:
 * {@code {"dataset": "mnist", "training": {"lr": 1e-3}}}. Whatever is not given stays as it was; so does what is null.
 */
public final class ConfigFile {
  private static final JsonMapper JSON = Json.strictMapper();

  /** As much as the description of the largest network takes. */
  private static final long MOST_BYTES = 64L << 20;

  private static final String INIT = "init";
  private static final String NETWORK = "network";
  private static final String DEVICE = "device";

  /** The settings of each part, by name, with the types of their values; those of the part "" are in none. */
  private static final Map<String, Map<String, Type>> PARTS = parts();

  private final Path path;
  private final Map<String, Object> values = new LinkedHashMap<>();

  private static Map<String, Map<String, Type>> parts() {
    Map<String, Map<String, Type>> parts = new LinkedHashMap<>();
    parts.put("model", types(Architecture.class, Losses.class, ImageShape.class));
    parts.get("model").putAll(Map.of("classes", Integer.class, NETWORK, NetworkSpec.class));
    parts.put("optimizer", types(Optimizer.class));
    parts.put("training", types(Batches.class, Schedule.class, Augmentation.class, Freezing.class));
    parts.get("training").putAll(Map.of("dataset", String.class, "resize", Integer.class, "seed", Long.class));
    parts.put(DEVICE, types(DeviceOptions.class));
    parts.put(
        "",
        Map.of("processes", Integer.class, "stages", String.class, "statistics", String.class, "reduce", String.class));
    return parts;
  }

  @SafeVarargs
  private static Map<String, Type> types(Class<? extends Record>... records) {
    Map<String, Type> types = new LinkedHashMap<>();
    for (Class<? extends Record> type : records) {
      types.putAll(Settings.types(type));
    }
    return types;
  }

  private ConfigFile(Path path) {
    this.path = path;
  }

  /**
   * Reads a file.
   *
   * @throws FileException if it cannot be read, or is not JSON
   * @throws SettingsException if it has a setting that there is not, or a value of the wrong type; the message names the file
   */
  public static ConfigFile read(Path path) {
    ConfigFile file = new ConfigFile(path);
    JsonNode root = tree(path);
    file.require(root.isObject(), "settings are written as an object, {\"lr\": 0.001, …}");
    root.properties().forEach(
        field -> {
          Map<String, Type> part = PARTS.get(field.getKey());
          if (field.getKey().equals(INIT)) {
            file.addWeights(field.getValue());
          } else if (part != null && field.getValue().isObject()) {
            field.getValue().properties().forEach(
                inner -> file.add(field.getKey() + ".", inner.getKey(), part.get(inner.getKey()), inner.getValue()));
          } else {
            file.add("", field.getKey(), typeAnywhere(field.getKey()), field.getValue());
          }
        });
    return file;
  }

  private static Type typeAnywhere(String name) {
    return PARTS.values().stream().map(part -> part.get(name)).filter(Objects::nonNull).findFirst().orElse(null);
  }

  private static JsonNode tree(Path path) {
    try {
      if (Files.size(path) > MOST_BYTES) {
        throw new FileException(path + " is too large for a file of settings");
      }
      return JSON.readTree(Files.readString(path));
    } catch (JsonProcessingException e) {
      String where = e.getLocation() == null ? "" : ", line " + e.getLocation().getLineNr();
      throw new FileException(path + where + ": this is not JSON: " + e.getOriginalMessage().lines().findFirst().orElse(""), e);
    } catch (IOException e) {
      throw new FileException("cannot read the settings in " + path + " (" + FileErrors.reason(e) + ")", e);
    }
  }

  private void add(String part, String name, Type type, JsonNode value) {
    require(type != null, "there is no setting '" + part + name + "'");
    if (value.isNull()) {
      return;
    }
    require(
        values.put(name, value(part + name, type, value)) == null,
        "the setting '" + name + "' is given twice, in a part and beside it");
  }

  private Object value(String name, Type type, JsonNode value) {
    try {
      Object read = JSON.readerFor(JSON.constructType(type)).readValue(value);
      boolean coerced = read instanceof String && !value.isTextual(); // a number or a truth value would do for Jackson
      if (!coerced && !(read instanceof List<?> list && list.contains(null))) {
        return read;
      }
    } catch (IOException e) { // of another type
      require(!name.endsWith(NETWORK), name + " is not a network's description: " + brief(e.getMessage()));
    }
    throw new SettingsException(path + ": " + name + " must be " + inWords(type) + ", not " + brief(value.toString()));
  }

  private static String brief(String text) {
    String line = text.lines().findFirst().orElse("");
    return line.length() <= 60 ? line : line.substring(0, 60) + "…";
  }

  private static String inWords(Type type) {
    return switch (type.getTypeName().replaceFirst(".*\\.", "").toLowerCase(Locale.ROOT)) {
      case "integer", "int", "long" -> "a whole number";
      case "double" -> "a number";
      case "boolean" -> "true or false";
      case "string" -> "a text in quotation marks";
      default -> type == NetworkSpec.class ? "a network's description" : "a list of whole numbers";
    };
  }

  /** The file of weights, or what {@link InitialWeights} is in a run's configuration. */
  private void addWeights(JsonNode value) {
    if (value.isNull()) {
      return;
    }
    if (value.isTextual()) {
      values.put(INIT, value.asText());
      return;
    }
    require(value.isObject(), "init must be a file of weights, not " + brief(value.toString()));
    Map<String, Type> types = Map.of("file", String.class, "sha256", String.class, "partial", Boolean.class);
    value.properties().forEach(
        field -> {
          String name = "init." + field.getKey();
          Type type = types.get(field.getKey());
          require(type != null, "there is no setting '" + name + "'");
          if (!field.getValue().isNull()) {
            values.put(field.getKey().equals("file") ? INIT : name, value(name, type, field.getValue()));
          }
        });
    require(values.containsKey(INIT), "init.file is missing");
  }

  /** Judges with a sentence that names the file. Settings are named as in the file, and so in no braces. */
  private void require(boolean condition, String text) {
    if (!condition) {
      throw new SettingsException(path + ": " + text);
    }
  }

  private <T> T judged(Supplier<T> settings) {
    try {
      return settings.get();
    } catch (SettingsException e) {
      String named = path + ": ";
      throw e.getMessage().startsWith(named) ? e : new SettingsException(named + e.getMessage());
    }
  }

  /** The data set to train on; {@code null}: not given. */
  public String dataset() {
    return (String) values.get("dataset");
  }

  /** Side in pixels of the images that the network is for; {@code null}: not given. */
  public Integer imageSize() {
    return (Integer) values.get("input_height");
  }

  /** What the shorter side of a test image in a file is made before its centre is cut out; {@code null}: not given. */
  public Integer resize() {
    return (Integer) values.get("resize");
  }

  /**
   * Throws unless images are as the file says, as far as it says anything of them.
   *
   * @param title what they are called
   */
  public void requireFits(ImageShape shape, int classes, String title) {
    Map<String, Object> actual = new LinkedHashMap<>(Settings.values(shape));
    actual.put("classes", classes);
    actual.forEach(
        (name, value) -> {
          Object given = values.get(name);
          require(
              given == null || given.equals(value),
              name + " is " + given + ", but for " + title + " it is " + value + "; leave it out");
        });
  }

  /** The images that a network is for, as far as the file says it, and otherwise as in the base. */
  public ModelConfig imagesOver(ModelConfig base) {
    ImageShape images = base.images();
    return judged(
        () -> base.with(
            new ImageShape(
                given("input_channels", images.channels()), given("input_height", images.height()),
                given("input_width", images.width())),
            given("classes", base.classes())));
  }

  /**
   * A configuration with the file's settings. The data set, its images and classes are the base's own.
   *
   * @throws SettingsException if settings do not go together; names the file
   * @throws LayerwiseException if weights to start from cannot be read, or are not those that they were
   */
  public RunConfig over(RunConfig base) {
    TrainingConfig training = base.training();
    return judged(
        () -> new RunConfig(
            modelOver(base.model()),
            optimizerOver(base.optimizer()),
            new TrainingConfig(
                training.dataset(),
                training.resize(),
                batchesOver(training.batches()),
                scheduleOver(training.schedule()),
                augmentationOver(training),
                partial(Freezing.class).over(training.freezing()),
                given("seed", training.seed())),
            deviceOver(base.device()),
            values.containsKey(INIT) ? weights() : base.init(),
            given("processes", base.processes()), given("stages", base.stages()), given("statistics", base.statistics()),
            given("reduce", base.reduce())));
  }

  /** The file's network and losses over a base. */
  public ModelConfig modelOver(ModelConfig base) {
    return judged(
        () -> {
          NetworkSpec description = description(base);
          Architecture given = partial(Architecture.class);
          boolean whole = Settings.isWhole(given);
          Architecture architecture =
              (whole ? Settings.partial(Architecture.class) : given)
                  .over(whole ? given : base.architecture(), Networks.variants(description != null));
          Losses losses = partial(Losses.class);
          return new ModelConfig(
              architecture,
              Settings.isWhole(losses) ? Settings.partial(Losses.class).over(losses) : losses.over(base.losses()),
              base.images(), base.classes(), description);
        });
  }

  /** As for {@code --model}: a name is of a published network, unless it is that of a file. */
  private NetworkSpec description(ModelConfig base) {
    String name = (String) values.get("model");
    if (values.containsKey(NETWORK) || name == null) {
      return given(NETWORK, base.network());
    }
    if (name.toLowerCase(Locale.ROOT).endsWith(".json")) {
      return NetworkSpec.read(Path.of(name));
    }
    require(
        Networks.names().contains(name),
        "model: unknown network '" + name + "'; give a .json file or one of " + String.join(", ", Networks.names()));
    return null;
  }

  /** The file's optimizer over a base. */
  public Optimizer optimizerOver(Optimizer base) {
    return judged(
        () -> {
          Optimizer given = partial(Optimizer.class);
          return Settings.isWhole(given) ? Settings.partial(Optimizer.class).over(given) : given.over(base);
        });
  }

  /** The file's batches over a base. */
  public Batches batchesOver(Batches base) {
    return judged(
        () -> {
          Batches given = partial(Batches.class);
          return Settings.isWhole(given) ? Settings.partial(Batches.class).over(given) : given.over(base);
        });
  }

  private Schedule scheduleOver(Schedule base) {
    Schedule given = partial(Schedule.class);
    return Settings.isWhole(given) ? Settings.partial(Schedule.class).over(given) : given.over(base);
  }

  /** What the file says of the crops of other images does not count. */
  private Augmentation augmentationOver(TrainingConfig training) {
    Augmentation given = partial(Augmentation.class);
    Augmentation base = training.augmentation();
    boolean ofTheseImages = given("dataset", training.dataset()).equals(training.dataset());
    Double cropScale = ofTheseImages && given.cropScale() != null ? given.cropScale() : base.cropScale();
    if (Settings.isWhole(given)) {
      boolean ofImageFiles = DataSets.IMAGE_FOLDER.equals(dataset());
      return (ofImageFiles ? given.ofImageFiles() : given).over(Augmentation.NONE).withCropScale(cropScale);
    }
    Boolean cuts = given.nHoles() == null ? null : given.nHoles() > 0;
    Augmentation cut =
        base.withCutout(cuts, Boolean.TRUE.equals(cuts) ? given.nHoles() : null, given.length());
    return Settings.partial(
            Augmentation.class, "crop_padding", given.cropPadding(), "horizontal_flip", given.horizontalFlip(), "flip",
            given.flip(), "mixup", given.mixup(), "cutmix", given.cutmix())
        .over(cut)
        .withCropScale(cropScale);
  }

  /** The file's device over a base; settings of another device are not carried over. */
  public DeviceOptions deviceOver(DeviceOptions base) {
    String name = given(DEVICE, base.device());
    DeviceOptions start = name.equals(base.device()) ? base : DeviceOptions.of(name, base.threads());
    String precision = given("precision", start.precision());
    require(
        precision.equals(start.precision()) || DeviceOptions.PRECISIONS.contains(precision) || precision.equals("f64"),
        "precision: unknown value '" + precision + "'; choose from " + String.join(", ", DeviceOptions.PRECISIONS));
    return new DeviceOptions(
        name, given("threads", start.threads()), precision, given("engine", start.engine()),
        given("tf32", start.tf32()), given("engine_choices", start.engineChoices()));
  }

  private InitialWeights weights() {
    InitialWeights weights =
        InitialWeights.of(Path.of((String) values.get(INIT)), Boolean.TRUE.equals(values.get("init.partial")));
    if (!given("init.sha256", weights.sha256()).equals(weights.sha256())) {
      throw new LayerwiseException(
          path + ": the weights in " + weights.file() + " are not those with the sha256 of init; leave the sha256 out to start"
              + " from them all the same");
    }
    return weights;
  }

  private <R extends Record> R partial(Class<R> type) {
    List<Object> namesAndValues = new ArrayList<>();
    Settings.types(type).keySet().forEach(
        name -> {
          namesAndValues.add(name);
          namesAndValues.add(values.get(name));
        });
    return Settings.partial(type, namesAndValues.toArray());
  }

  @SuppressWarnings("unchecked") // values are read as of the types of the settings
  private <T> T given(String name, T otherwise) {
    return values.containsKey(name) ? (T) values.get(name) : otherwise;
  }
}
