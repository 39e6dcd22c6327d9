package dev.layerwise.serve;

import java.time.Duration;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * The threads of an HTTP server, one per request. They are counted from the moment that a request arrives, before a thread
 * takes it, so that a server that stops knows what it has to finish.
 */
final class RequestThreads implements Executor {
  private static final long IDLE_SECONDS = 30;
  private static final long RETRY_MILLIS = 100;

  /** How long requests that arrived later, and are refused, may still take when those before have been answered. */
  private static final Duration REFUSALS = Duration.ofMillis(500);

  private final ThreadPoolExecutor pool;
  /** Requests under way. Guarded by this object, as are the fields below. */
  private int active;
  /** Those of them that arrived before the server was told to stop. */
  private int owed;
  private boolean stopping;

  /** @param most threads; while all are busy, the server accepts nothing more, and the operating system queues connections */
  RequestThreads(int most) {
    pool =
        new ThreadPoolExecutor(
            0, most, IDLE_SECONDS, TimeUnit.SECONDS, new SynchronousQueue<>(),
            task -> {
              Thread thread = new Thread(task, "request");
              thread.setDaemon(true);
              return thread;
            },
            RequestThreads::waitForThread);
  }

  private static void waitForThread(Runnable task, ThreadPoolExecutor pool) {
    try {
      while (!pool.isShutdown()) {
        if (pool.getQueue().offer(task, RETRY_MILLIS, TimeUnit.MILLISECONDS)) {
          return;
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    throw new RejectedExecutionException(Server.STOPPING);
  }

  @Override
  public void execute(Runnable request) {
    boolean isOwed = begin();
    try {
      pool.execute(
          () -> {
            try {
              request.run();
            } finally {
              end(isOwed);
            }
          });
    } catch (RejectedExecutionException e) {
      end(isOwed);
      throw e;
    }
  }

  private synchronized boolean begin() {
    active++;
    if (!stopping) {
      owed++;
    }
    return !stopping;
  }

  private synchronized void end(boolean isOwed) {
    active--;
    if (isOwed) {
      owed--;
    }
    notifyAll();
  }

  /** How many requests are under way. */
  synchronized int active() {
    return active;
  }

  /**
   * Waits until the requests that are under way now have been answered.
   *
   * @return how many have not been, when the time is up or the thread is interrupted
   */
  synchronized int finish(Duration time) {
    stopping = true;
    try {
      await(() -> owed == 0, time);
      await(() -> active == 0, REFUSALS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    return owed;
  }

  private void await(BooleanSupplier condition, Duration time) throws InterruptedException {
    long end = System.nanoTime() + time.toNanos();
    for (long left = time.toNanos(); !condition.getAsBoolean() && left > 0; left = end - System.nanoTime()) {
      TimeUnit.NANOSECONDS.timedWait(this, left);
    }
  }

  /** Ends the threads, and what they still do. */
  void close() {
    pool.shutdownNow();
  }
}
