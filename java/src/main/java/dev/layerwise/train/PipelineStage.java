package dev.layerwise.train;

import dev.layerwise.model.LayerRange;
import dev.layerwise.nativelib.NativeCommunicator;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeDataSet;
import dev.layerwise.nativelib.NativeTensor;
import dev.layerwise.settings.Augmentation;

/**
 * The layers that a process trains, between those of the stage before and of the stage after it. While a stage trains its
 * layers on a batch, the one before it trains its own on the next batch: with local losses no gradient returns, so the
 * result is that of one process. Batches and decisions travel from the first stage to the last, in one order.
 *
 * @param layers the stage's; {@code null}: all, in a process without a pipeline
 * @param processes those of all stages; {@code null} in a process without a pipeline
 * @param before rank of the process that sends to this one; {@link #NONE} for the first stage
 * @param after rank of the process that this one sends to; {@link #NONE} for the last stage
 */
record PipelineStage(LayerRange layers, NativeCommunicator processes, int before, int after) {
  /** In place of a rank. */
  static final int NONE = -1;

  /** The whole network. */
  static final PipelineStage WHOLE = new PipelineStage(null, null, NONE, NONE);

  private static final long NO_MORE = -1; // in place of a batch's size

  boolean isWhole() {
    return layers == null;
  }

  boolean isFirst() {
    return before == NONE;
  }

  private boolean isLast() {
    return after == NONE;
  }

  /** What the first stage decides, told from stage to stage; each asks at the same place of its work. */
  boolean decide(boolean decision) {
    boolean decided = decision;
    if (!isFirst()) {
      long[] told = new long[1];
      processes.receive(told, before);
      decided = told[0] != 0;
    }
    if (!isLast()) {
      processes.send(new long[] {decided ? 1 : 0}, after);
    }
    return decided;
  }

  /** Sends a batch on, with what this stage has made of it; nothing of a batch of which this process has no image. */
  void passOn(ImageFeed.Pass batch, NativeTensor labels, NativeTensor output) {
    if (!isLast()) {
      processes.send(new long[] {batch.count(), batch.position()}, after);
      if (batch.count() > 0) {
        processes.send(labels, after);
        processes.send(output, after);
      }
    }
  }

  /** Tells the next stage that there are no more batches. */
  void passOnEnd() {
    if (!isLast()) {
      processes.send(new long[] {NO_MORE, 0}, after);
    }
  }

  /** Waits until the next stage has received everything. */
  void finish() {
    if (!isLast()) {
      processes.finishSends();
    }
  }

  /** The batches that the stage before sends. */
  ImageFeed received(NativeContext context) {
    return new ImageFeed() {
      @Override
      public Pass pass(
          int[] order, int from, int batchSize, BatchSlice slice, int epoch, Augmentation augmentation) {
        return new ReceivedPass(context);
      }

      @Override
      public void close() {
        // It holds nothing.
      }
    };
  }

  private final class ReceivedPass implements ImageFeed.Pass {
    private final NativeContext context;
    private final long[] batch = new long[2]; // size and position

    ReceivedPass(NativeContext context) {
      this.context = context;
    }

    @Override
    public boolean advance() {
      processes.receive(batch, before);
      return batch[0] != NO_MORE;
    }

    @Override
    public int count() {
      return (int) batch[0];
    }

    /** In place of images, what the stage before has made of them. */
    @Override
    public NativeDataSet.Batch batch() {
      NativeTensor labels = context.receive(processes, before);
      try {
        return new NativeDataSet.Batch(context.receive(processes, before), labels);
      } catch (RuntimeException e) {
        labels.close();
        throw e;
      }
    }

    @Override
    public int label(int index) {
      throw new UnsupportedOperationException("only the first stage sees images");
    }

    @Override
    public int number(int index) {
      throw new UnsupportedOperationException("only the first stage sees images");
    }

    @Override
    public byte[] pixels(int index) {
      throw new UnsupportedOperationException("only the first stage sees images");
    }

    @Override
    public boolean staysInPlace() {
      return false;
    }

    @Override
    public int position() {
      return (int) batch[1];
    }

    @Override
    public void close() {
      // It holds nothing.
    }
  }
}
