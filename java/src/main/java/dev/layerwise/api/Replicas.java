package dev.layerwise.api;

import dev.layerwise.LayerwiseException;
import dev.layerwise.model.InputDescription;
import dev.layerwise.model.ModelException;
import dev.layerwise.model.ModelFile;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.Function;

/** The copies of a model's network: a call takes one that is idle, or waits for one. */
final class Replicas implements AutoCloseable {
  /** Guards itself, {@link #lent} and {@link #closed}. */
  private final Deque<Replica> idle = new ArrayDeque<>();
  private final Device device;
  private int lent;
  private boolean closed;

  Replicas(ModelFile file, InputDescription input, Model.Options options) {
    try {
      for (int i = 0; i < options.replicas(); i++) {
        idle.push(new Replica(file, input, options));
      }
    } catch (RuntimeException e) {
      close();
      throw e;
    }
    device = Device.of(idle.peek().device());
  }

  /** Where each of them computes, with the precision and the number of threads in use. */
  Device device() {
    return device;
  }

  /** Computes on one of them. */
  <T> T call(Function<Replica, T> computation) {
    Replica replica = take();
    try {
      return computation.apply(replica);
    } finally {
      synchronized (idle) {
        lent--;
        idle.push(replica);
        idle.notifyAll();
      }
    }
  }

  private Replica take() {
    synchronized (idle) {
      while (!closed && idle.isEmpty()) {
        try {
          idle.wait();
        } catch (InterruptedException e) {
          Thread.currentThread().interrupt();
          throw new LayerwiseException("waiting for the model was interrupted", e);
        }
      }
      if (closed) {
        throw new ModelException("the model is closed; open it again");
      }
      lent++;
      return idle.pop();
    }
  }

  /** Waits for the calls under way, and frees the native memory. An interrupt does not cut the wait short. */
  @Override
  public void close() {
    boolean interrupted = false;
    synchronized (idle) {
      closed = true;
      idle.notifyAll();
      while (lent > 0) {
        try {
          idle.wait();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
      idle.forEach(Replica::close);
      idle.clear();
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
