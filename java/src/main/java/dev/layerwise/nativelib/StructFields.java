package dev.layerwise.nativelib;

import dev.layerwise.nativelib.generated.LayerwiseApi;
import java.lang.reflect.Method;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Pointer;

/**
 * Writes settings into the fields of the same names in the structures of the C interface. Names of an enumeration's
 * values follow its field: "adam" of {@code optim} is {@code LAYERWISE_OPTIM_ADAM}.
 */
final class StructFields {
  private StructFields() {}

  /**
   * Writes each value into its field; null: the field stays as it is.
   *
   * @throws IllegalArgumentException if the structure has no such field, or the enumeration no such value
   */
  static void write(Map<String, ?> values, Pointer struct) {
    values.forEach(
        (name, value) -> {
          if (value != null) {
            write(struct, name, value);
          }
        });
  }

  private static void write(Pointer struct, String name, Object value) {
    Object converted =
        value instanceof Boolean flag ? (Integer) (flag ? 1 : 0) : value instanceof String text ? number(name, text) : value;
    try {
      setter(struct, name).invoke(struct, converted);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Method setter(Pointer struct, String name) {
    return Stream.of(struct.getClass().getMethods())
        .filter(method -> method.getName().equals(name) && method.getParameterCount() == 1)
        .findFirst()
        .orElseThrow(() -> new IllegalArgumentException(struct.getClass().getSimpleName() + " has no field " + name));
  }

  private static int number(String field, String value) {
    String constant = "LAYERWISE_" + field.toUpperCase(Locale.ROOT) + "_" + value.toUpperCase(Locale.ROOT);
    for (Class<?> type : LayerwiseApi.class.getClasses()) {
      for (Object known : type.isEnum() ? type.getEnumConstants() : new Object[0]) {
        if (((Enum<?>) known).name().equals(constant)) {
          try {
            return type.getField("value").getInt(known);
          } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
          }
        }
      }
    }
    throw new IllegalArgumentException("there is no " + constant);
  }
}
