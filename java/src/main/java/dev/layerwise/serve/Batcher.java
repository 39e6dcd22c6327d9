package dev.layerwise.serve;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.IntConsumer;
import java.util.function.IntSupplier;

/**
 * Gathers images of concurrent requests into batches. A batch is computed when it is full, when its first image has waited long
 * enough, or when no other image is on its way. What arrives during a computation is the next batch, so that batches grow with
 * the load.
 */
final class Batcher implements AutoCloseable {
  /** What is done with a batch, on the batcher's thread. */
  @FunctionalInterface
  interface Computation {
    /**
     * Computes a row of numbers per image.
     *
     * @param pixels levels in (N, C, H, W) order
     * @param count N
     */
    float[][] compute(Task task, byte[] pixels, int count);
  }

  /** An image, and who waits for its row. */
  private record Waiting(Task task, byte[] pixels, long deadline, CompletableFuture<float[]> row) {}

  private final Computation computation;
  private final int batchSize;
  private final long waitNanos;
  private final IntSupplier underWay;
  private final IntConsumer batchSizes;
  /** Guarded by this object, as is {@link #closed}. */
  private final Deque<Waiting> queue = new ArrayDeque<>();
  private final Thread thread = new Thread(this::run, "batches");
  private boolean closed;

  /**
   * Starts the thread that computes.
   *
   * @param underWay says how many images there are in all: those queued here, and those that may still come
   * @param batchSizes told of every batch before it is computed
   */
  Batcher(Computation computation, Limits limits, IntSupplier underWay, IntConsumer batchSizes) {
    this.computation = computation;
    this.underWay = underWay;
    this.batchSizes = batchSizes;
    batchSize = limits.batchSize();
    waitNanos = (long) (limits.batchWait() * TimeUnit.MILLISECONDS.toNanos(1));
    thread.setDaemon(true);
    thread.start();
  }

  /**
   * Queues the images of a request.
   *
   * @param images levels in (C, H, W) order
   * @return for each image its row, or why it could not be computed
   * @throws RequestException if the batcher is closed
   */
  synchronized List<CompletableFuture<float[]>> submit(Task task, List<byte[]> images) throws RequestException {
    if (closed) {
      throw new RequestException(503, Server.STOPPING);
    }
    long deadline = System.nanoTime() + waitNanos;
    List<CompletableFuture<float[]>> rows = new ArrayList<>();
    for (byte[] pixels : images) {
      CompletableFuture<float[]> row = new CompletableFuture<>();
      queue.add(new Waiting(task, pixels, deadline, row));
      rows.add(row);
    }
    notifyAll();
    return rows;
  }

  /** How many images wait for their computation to begin. */
  synchronized int waiting() {
    return queue.size();
  }

  private void run() {
    for (List<Waiting> batch = next(); !batch.isEmpty(); batch = next()) {
      compute(batch);
    }
  }

  /** The next batch; empty when there will be none. */
  private synchronized List<Waiting> next() {
    try {
      while (queue.isEmpty() && !closed) {
        wait();
      }
      while (!queue.isEmpty() && !closed && queue.size() < underWay.getAsInt() && !isFull()) {
        long left = queue.peek().deadline() - System.nanoTime();
        if (left <= 0) {
          break;
        }
        TimeUnit.NANOSECONDS.timedWait(this, left);
      }
    } catch (InterruptedException e) {
      throw new IllegalStateException(e); // nobody else has this thread
    }
    return take();
  }

  private boolean isFull() {
    Task task = queue.element().task();
    return queue.size() >= batchSize
        && queue.stream().filter(waiting -> waiting.task().equals(task)).limit(batchSize).count() == batchSize;
  }

  /** The image that has waited longest, and others that share its computation. */
  private List<Waiting> take() {
    List<Waiting> batch = new ArrayList<>();
    Iterator<Waiting> all = queue.iterator();
    while (all.hasNext() && batch.size() < batchSize) {
      Waiting waiting = all.next();
      if (batch.isEmpty() || waiting.task().equals(batch.get(0).task())) {
        batch.add(waiting);
        all.remove();
      }
    }
    return batch;
  }

  private void compute(List<Waiting> batch) {
    try {
      int length = batch.get(0).pixels().length;
      byte[] pixels = new byte[Math.multiplyExact(batch.size(), length)];
      for (int i = 0; i < batch.size(); i++) {
        System.arraycopy(batch.get(i).pixels(), 0, pixels, i * length, length);
      }
      batchSizes.accept(batch.size());
      float[][] rows = computation.compute(batch.get(0).task(), pixels, batch.size());
      for (int i = 0; i < rows.length; i++) {
        batch.get(i).row().complete(rows[i]);
      }
    } catch (RuntimeException | Error e) { // those who wait are told, and the next batch may do better
      batch.forEach(waiting -> waiting.row().completeExceptionally(e));
    }
  }

  /** Computes what waits, and refuses what comes later. */
  @Override
  public void close() {
    synchronized (this) {
      closed = true;
      notifyAll();
    }
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
