package dev.layerwise.data.download;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Writes the body of a response to a part file as it arrives, and notices when nothing arrives any more. */
final class BodyWriter implements Flow.Subscriber<List<ByteBuffer>> {
  private static final long LONGEST_LOOK_MILLIS = 500;

  private final PartFile part;
  private final String file;
  private final long total;
  private final DownloadListener listener;
  private final CompletableFuture<Void> done = new CompletableFuture<>();
  private volatile Flow.Subscription subscription;
  private volatile long lastArrival = System.nanoTime();

  /** The disk refused what arrived. */
  static final class WriteException extends IOException {
    private static final long serialVersionUID = 1L;

    WriteException(IOException cause) {
      super(cause);
    }
  }

  BodyWriter(PartFile part, String file, long total, DownloadListener listener) {
    this.part = part;
    this.file = file;
    this.total = total;
    this.listener = listener;
  }

  @Override
  public void onSubscribe(Flow.Subscription given) {
    subscription = given;
    given.request(1);
  }

  @Override
  public synchronized void onNext(List<ByteBuffer> buffers) {
    lastArrival = System.nanoTime();
    if (done.isDone()) {
      return;
    }
    try {
      for (ByteBuffer buffer : buffers) {
        part.append(buffer);
      }
      listener.received(file, part.length(), total);
      subscription.request(1);
    } catch (IOException e) {
      subscription.cancel();
      done.completeExceptionally(new WriteException(e));
    }
  }

  @Override
  public void onError(Throwable failure) {
    done.completeExceptionally(failure);
  }

  @Override
  public void onComplete() {
    done.complete(null);
  }

  /**
   * Waits for the end of the body.
   *
   * @throws TransientFailure if nothing arrived for that long
   * @throws IOException if the connection broke or the disk refused
   */
  void await(Duration stallTimeout) throws TransientFailure, IOException, InterruptedException {
    long look = Math.max(1, Math.min(LONGEST_LOOK_MILLIS, stallTimeout.toMillis() / 4));
    while (true) {
      try {
        done.get(look, TimeUnit.MILLISECONDS);
        return;
      } catch (TimeoutException e) {
        if (System.nanoTime() - lastArrival > stallTimeout.toNanos()) {
          stop();
          throw new TransientFailure("nothing arrived for " + seconds(stallTimeout), e);
        }
      } catch (ExecutionException e) {
        if (e.getCause() instanceof IOException failure) {
          throw failure;
        }
        throw new IOException(e.getCause());
      }
    }
  }

  /** Nothing that arrives later may reach the file, which is about to be opened anew. */
  private synchronized void stop() {
    done.cancel(false);
    if (subscription != null) {
      subscription.cancel();
    }
  }

  static String seconds(Duration time) {
    return time.toMillis() % 1000 == 0 ? time.toSeconds() + " s" : time.toMillis() + " ms";
  }
}
