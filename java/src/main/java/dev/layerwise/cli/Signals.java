package dev.layerwise.cli;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandleProxies;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.InvocationTargetException;

/**
 * Handlers of operating-system signals. Java has them only in {@code sun.misc.Signal}. javac warns at every mention of that
 * class, so it is used by reflection.
 */
final class Signals {
  private Signals() {}

  /**
   * Sets a handler. It runs on its own thread for each signal.
   *
   * @param name such as {@code INT}
   * @return the previous handler, for {@link #restore}; {@code null} if this process cannot handle the signal
   */
  static Object handle(String name, Runnable handler) {
    try {
      MethodHandle run =
          MethodHandles.lookup().findVirtual(Runnable.class, "run", MethodType.methodType(void.class)).bindTo(handler);
      MethodHandle handle = MethodHandles.dropArguments(run, 0, signalClass());
      return set(name, MethodHandleProxies.asInterfaceInstance(handlerClass(), handle));
    } catch (NoSuchMethodException | IllegalAccessException e) {
      throw new IllegalStateException(e);
    } catch (IllegalArgumentException e) {
      return null; // the virtual machine was told to leave signals alone (-Xrs)
    }
  }

  /** Restores the handler that {@link #handle} replaced. */
  static void restore(String name, Object handler) {
    if (handler != null) {
      set(name, handler);
    }
  }

  private static Object set(String name, Object handler) {
    try {
      Object signal = signalClass().getConstructor(String.class).newInstance(name);
      return signalClass().getMethod("handle", signalClass(), handlerClass()).invoke(null, signal, handler);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof IllegalArgumentException refused) {
        throw refused;
      }
      throw new IllegalStateException(e);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Class<?> signalClass() {
    return named("sun.misc.Signal");
  }

  private static Class<?> handlerClass() {
    return named("sun.misc.SignalHandler");
  }

  private static Class<?> named(String name) {
    try {
      return Class.forName(name);
    } catch (ClassNotFoundException e) {
      throw new IllegalStateException("this Java runtime lacks the module jdk.unsupported", e);
    }
  }
}
