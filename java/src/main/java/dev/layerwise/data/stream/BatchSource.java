package dev.layerwise.data.stream;

import dev.layerwise.data.DataException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * The batches of one pass over images, made ahead by a fixed number of threads. A batch is begun only when one is
 * taken: there are never more than {@link StreamOptions#prefetch} besides the taken one, however slow the caller is.
 * For one thread.
 */
public final class BatchSource implements AutoCloseable {
  private final StreamedImages images;
  private final int prefetch;
  private final int[] order;
  private final int batchSize;
  private final Renderer renderer;
  private final ExecutorService threads;
  private final Deque<PendingBatch> pending = new ArrayDeque<>();
  private int begun;
  private int taken;

  /** Writes images into batches; used by several threads. */
  interface Renderer {
    /**
     * Writes an image.
     *
     * @param index its number
     * @param offset in the batch's pixels, of its first byte
     */
    void render(int index, byte[] pixels, int offset) throws ImageDecoder.UnusableException;
  }

  /**
   * A batch in the making.
   *
   * @param start position of its first image in the order
   * @param pixels each image has its place
   * @param images for each image why it cannot be used, or null
   */
  private record PendingBatch(int start, byte[] pixels, List<Future<ImageDecoder.UnusableException>> images) {}

  BatchSource(StreamedImages images, StreamOptions options, int[] order, int batchSize, Renderer renderer) {
    this.images = images;
    this.prefetch = options.prefetch();
    this.order = order;
    this.batchSize = batchSize;
    this.renderer = renderer;
    this.threads = Executors.newFixedThreadPool(options.threads(), task -> {
      Thread thread = new Thread(task, "layerwise-images");
      thread.setDaemon(true);
      return thread;
    });
    beginBatches();
  }

  /**
   * Waits for the next batch; batches of which no image can be used are passed over.
   *
   * @return null after the last batch
   * @throws DataException if reading is strict and an image cannot be used, or the memory does not suffice
   */
  public Batch next() {
    while (!pending.isEmpty()) {
      PendingBatch batch = pending.remove();
      Batch finished = finish(batch);
      taken = batch.start() + batch.images().size();
      beginBatches();
      if (finished.count() > 0) {
        return finished;
      }
    }
    return null;
  }

  /** How much of the order lies behind the caller, images that could not be used included. */
  public int taken() {
    return taken;
  }

  /** Batches that are being made or are ready. */
  int pendingBatches() {
    return pending.size();
  }

  private void beginBatches() {
    while (pending.size() < prefetch && begun < order.length) {
      int count = Math.min(batchSize, order.length - begun);
      byte[] pixels = new byte[count * images.imageBytes()];
      List<Future<ImageDecoder.UnusableException>> renderings = new ArrayList<>(count);
      for (int i = 0; i < count; i++) {
        int index = order[begun + i];
        int offset = i * images.imageBytes();
        renderings.add(threads.submit(() -> render(index, pixels, offset)));
      }
      pending.add(new PendingBatch(begun, pixels, renderings));
      begun += count;
    }
  }

  private ImageDecoder.UnusableException render(int index, byte[] pixels, int offset) {
    try {
      renderer.render(index, pixels, offset);
      return null;
    } catch (ImageDecoder.UnusableException e) {
      return e;
    }
  }

  /** Closes the gaps that unusable images leave. */
  private Batch finish(PendingBatch batch) {
    int imageBytes = images.imageBytes();
    int[] labels = new int[batch.images().size()];
    int[] numbers = new int[labels.length];
    int kept = 0;
    for (int i = 0; i < labels.length; i++) {
      int index = order[batch.start() + i];
      ImageDecoder.UnusableException reason = await(batch.images().get(i));
      if (reason != null) {
        images.refuse(index, reason);
        continue;
      }
      if (kept < i) {
        System.arraycopy(batch.pixels(), i * imageBytes, batch.pixels(), kept * imageBytes, imageBytes);
      }
      numbers[kept] = index;
      labels[kept++] = images.label(index);
    }
    return kept == labels.length ? new Batch(batch.pixels(), labels, numbers)
        : new Batch(
            Arrays.copyOf(batch.pixels(), kept * imageBytes), Arrays.copyOf(labels, kept), Arrays.copyOf(numbers, kept));
  }

  private static ImageDecoder.UnusableException await(Future<ImageDecoder.UnusableException> rendering) {
    try {
      return rendering.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DataException("Reading images was interrupted.", e);
    } catch (ExecutionException e) {
      if (e.getCause() instanceof OutOfMemoryError) {
        throw new DataException("The Java heap is too small to decode images; use fewer threads or a smaller batch, or "
            + "give Java more, such as with LAYERWISE_JAVA_OPTIONS=-Xmx4g.", e);
      }
      throw new IllegalStateException(e.getCause());
    }
  }

  /** Stops making batches. */
  @Override
  public void close() {
    threads.shutdownNow();
    pending.clear();
  }
}
