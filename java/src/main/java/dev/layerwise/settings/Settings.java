package dev.layerwise.settings;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;

/** What all records of settings have in common. */
public final class Settings {
  /** A record of settings that others hold as one of their parts, and not as one value. */
  @Target(ElementType.TYPE)
  @Retention(RetentionPolicy.RUNTIME)
  public @interface Group {}

  /** A setting that a resumed run may change: how long it goes on does not change what it did before. */
  @Target(ElementType.RECORD_COMPONENT)
  @Retention(RetentionPolicy.RUNTIME)
  public @interface MayChange {}

  /**
   * A setting that a whole record may lack: it then is as it was before there was such a setting. One that is added later
   * is of this kind, so that what older versions wrote is whole.
   */
  @Target(ElementType.RECORD_COMPONENT)
  @Retention(RetentionPolicy.RUNTIME)
  public @interface MayBeAbsent {}

  private Settings() {}

  /**
   * A setting that has another value.
   *
   * @param name as {@code config.json} has it
   * @param before null: absent, as {@code after} may be
   * @param mayChange whether a resumed run may have the new value
   */
  public record Change(String name, Object before, Object after, boolean mayChange) {
    /** "epochs from 10 to 20", or "the network's blocks" where a value is too long to be said. */
    @Override
    public String toString() {
      boolean blocks = before instanceof Record || after instanceof Record;
      return blocks ? "the network's blocks" : name + " from " + said(before) + " to " + said(after);
    }

    private static String said(Object value) {
      return value == null ? "none" : value instanceof String text ? '"' + text + '"' : value.toString();
    }
  }

  /**
   * A partial record.
   *
   * @param namesAndValues settings as {@code config.json} names them, each with its value; null: not given
   * @throws IllegalArgumentException if there is no such setting, or it is not of such a value
   */
  public static <R extends Record> R partial(Class<R> type, Object... namesAndValues) {
    RecordComponent[] components = type.getRecordComponents();
    Object[] values = new Object[components.length];
    List<String> names = Stream.of(components).map(Settings::name).toList();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      int at = names.indexOf(namesAndValues[i]);
      if (at < 0) {
        throw new IllegalArgumentException(type.getSimpleName() + " has no setting " + namesAndValues[i]);
      }
      values[at] = namesAndValues[i + 1];
    }
    return make(type, values);
  }

  /** Whether a record has a setting of that name. */
  public static boolean has(Class<? extends Record> type, String name) {
    return Stream.of(type.getRecordComponents()).anyMatch(component -> name(component).equals(name));
  }

  /** The names of a record's settings, as {@code config.json} has them, with the types of their values. */
  public static Map<String, Type> types(Class<? extends Record> type) {
    Map<String, Type> types = new LinkedHashMap<>();
    for (RecordComponent component : type.getRecordComponents()) {
      types.put(name(component), component.getGenericType());
    }
    return types;
  }

  /** Some settings, named as for {@link #partial}, over a base; neither is judged beyond the ranges of values. */
  @SuppressWarnings("unchecked") // a record's class is its own
  public static <R extends Record> R with(R base, Object... namesAndValues) {
    return over(partial((Class<R>) base.getClass(), namesAndValues), base);
  }

  /** The settings of a partial record, and for those that it does not have, a base's; records within records likewise. */
  public static <R extends Record> R over(R partial, R base) {
    if (partial == null) {
      return base;
    }
    Class<?> type = base.getClass();
    return make(
        type, Stream.of(type.getRecordComponents()).map(component -> over(component, partial, base)).toArray());
  }

  private static Object over(RecordComponent component, Record partial, Record base) {
    Object given = value(component, partial);
    Object usual = value(component, base);
    return isGroup(component) && given != null && usual != null ? over((Record) given, (Record) usual)
        : given == null ? usual : given;
  }

  private static boolean isGroup(RecordComponent component) {
    return component.getType().isAnnotationPresent(Group.class);
  }

  /** Throws {@link SettingsException} if a setting that must be there has no value. */
  public static <R extends Record> R requireWhole(R settings) {
    for (RecordComponent component : settings.getClass().getRecordComponents()) {
      SettingsException.require(!lacks(component, settings), "{" + name(component) + "} is missing");
    }
    return settings;
  }

  /** Whether all settings that must be there have values. */
  public static boolean isWhole(Record settings) {
    return Stream.of(settings.getClass().getRecordComponents()).noneMatch(component -> lacks(component, settings));
  }

  private static boolean lacks(RecordComponent component, Record settings) {
    return value(component, settings) == null && !component.isAnnotationPresent(MayBeAbsent.class);
  }

  /** The settings of a record by name, those of its groups among them. */
  public static Map<String, Object> values(Record settings) {
    Map<String, Object> values = new LinkedHashMap<>();
    for (RecordComponent component : settings.getClass().getRecordComponents()) {
      Object value = value(component, settings);
      if (isGroup(component) && value != null) {
        values.putAll(values((Record) value));
      } else {
        values.put(name(component), value);
      }
    }
    return values;
  }

  /** How two whole records differ, in the order of their settings. */
  public static List<Change> changes(Record before, Record after) {
    List<Change> changes = new ArrayList<>();
    for (RecordComponent component : before.getClass().getRecordComponents()) {
      Object old = value(component, before);
      Object now = value(component, after);
      if (isGroup(component) && old != null && now != null) {
        changes.addAll(changes((Record) old, (Record) now));
      } else if (!Objects.equals(old, now)) {
        changes.add(new Change(name(component), old, now, component.isAnnotationPresent(MayChange.class)));
      }
    }
    return changes;
  }

  /** As {@code config.json} has it: {@code batch_size}. */
  static String name(RecordComponent component) {
    JsonProperty named = component.getAccessor().getAnnotation(JsonProperty.class);
    return named != null ? named.value()
        : component.getName().replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
  }

  private static Object value(RecordComponent component, Record settings) {
    try {
      component.getAccessor().setAccessible(true);
      return component.getAccessor().invoke(settings);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  @SuppressWarnings("unchecked") // the record's own constructor
  private static <R extends Record> R make(Class<?> type, Object[] values) {
    Class<?>[] types = Stream.of(type.getRecordComponents()).map(RecordComponent::getType).toArray(Class<?>[]::new);
    try {
      var constructor = type.getDeclaredConstructor(types);
      constructor.setAccessible(true);
      return (R) constructor.newInstance(values);
    } catch (InvocationTargetException e) {
      throw e.getCause() instanceof RuntimeException refused ? refused : new IllegalStateException(e);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }
}
