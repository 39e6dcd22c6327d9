package dev.layerwise.nativelib;

import org.bytedeco.javacpp.Pointer;

/**
 * Something native that lives on a context, until it or the context is closed.
 *
 * <p>Every call that reaches the native library holds the context's lock, so that nothing can be closed
 * under a call that uses it.
 *
 * @param <P> the generated pointer class
 */
abstract class NativeHandle<P extends Pointer> implements AutoCloseable {
  private final NativeContext context;
  private final P pointer;
  private boolean closed;

  /** Takes the pointer over; the caller holds the context's lock. */
  NativeHandle(NativeContext context, P pointer) {
    this.context = context;
    this.pointer = pointer;
    context.adopt(this);
  }

  /** Frees what the pointer names; it is called once. */
  abstract void free(P pointer);

  /** What messages call this: "features.0", "the tensor". */
  abstract String description();

  final NativeContext context() {
    return context;
  }

  final Object lock() {
    return context.lock();
  }

  /** Whether it can be used; the caller holds the lock. */
  final boolean isOpen() {
    return !closed;
  }

  /**
   * The pointer, to be used while the lock is held.
   *
   * @throws InvalidStateException if this is closed
   */
  final P pointer() {
    if (closed) {
      throw new InvalidStateException(
          context.isClosed()
              ? description() + " was closed with its context; create a new context"
              : description() + " is closed and cannot be used any more");
    }
    return pointer;
  }

  /**
   * The pointer of an argument to a call on a context, whose lock is held.
   *
   * @param handle may be {@code null}, which is passed on
   * @param role what the message calls the argument: "features.0: x"
   */
  static <P extends Pointer> P argument(NativeHandle<P> handle, NativeContext on, String owner, String role) {
    if (handle == null) {
      return null;
    }
    if (handle.context != on) {
      throw new InvalidArgumentException(owner + ": " + role + " belongs to another context");
    }
    return handle.pointer();
  }

  @Override
  public final void close() {
    synchronized (lock()) {
      if (!closed) {
        closed = true;
        context.forget(this);
        free(pointer);
      }
    }
  }
}
