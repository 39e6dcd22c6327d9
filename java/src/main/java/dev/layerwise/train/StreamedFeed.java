package dev.layerwise.train;

import dev.layerwise.LayerwiseException;
import dev.layerwise.data.stream.Batch;
import dev.layerwise.data.stream.BatchSource;
import dev.layerwise.data.stream.StreamedImages;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeDataSet;
import dev.layerwise.settings.Augmentation;
import java.util.Arrays;
import java.util.stream.IntStream;

/** Images that are read from disk, a few batches ahead, and copied to the device batch by batch. */
final class StreamedFeed implements ImageFeed {
  private final NativeContext context;
  private final StreamedImages images;
  private final long seed;

  StreamedFeed(NativeContext context, StreamedImages images, long seed) {
    this.context = context;
    this.images = images;
    this.seed = seed;
  }

  @Override
  public Pass pass(
      int[] order, int from, int batchSize, BatchSlice slice, int epoch, Augmentation augmentation) {
    int[] rest = Arrays.copyOfRange(order, from, order.length);
    BatchSource source = images.open(slice.of(rest, batchSize), slice.count(batchSize), seed, epoch, augmentation);
    Augmentation onDevice = augmentation == null ? null : augmentation.afterReading();
    return new Pass() {
      private Batch batch;
      private int position = from;

      @Override
      public boolean advance() {
        if (!slice.isWhole()) {
          return advanceTogether();
        }
        batch = source.next();
        position = from + source.taken();
        return batch != null;
      }

      /** All processes pass by as many batches, so none may leave one out. */
      private boolean advanceTogether() {
        int whole = Math.min(batchSize, order.length - position);
        int before = source.taken();
        if (whole == 0) {
          return false;
        }
        batch = slice.count(whole) == 0 ? new Batch(new byte[0], new int[0], new int[0]) : source.next();
        if (batch == null || source.taken() - before != slice.count(whole)) {
          throw new LayerwiseException(
              "none of the " + slice.count(whole) + " images that this process has of a batch can be used; repair or"
                  + " replace them, or start fewer processes");
        }
        position += whole;
        return true;
      }

      @Override
      public int count() {
        return batch.labels().length;
      }

      @Override
      public NativeDataSet.Batch batch() {
        return onDevice(batch, onDevice);
      }

      @Override
      public int label(int index) {
        return batch.labels()[index];
      }

      @Override
      public int number(int index) {
        return batch.numbers()[index];
      }

      @Override
      public byte[] pixels(int index) {
        int bytes = images.imageBytes();
        return Arrays.copyOfRange(batch.pixels(), index * bytes, (index + 1) * bytes);
      }

      @Override
      public boolean staysInPlace() {
        return false;
      }

      @Override
      public int position() {
        return position;
      }

      @Override
      public void close() {
        source.close();
      }
    };
  }

  /** Normalization and cutout are the device's, as for images that lie there. */
  private NativeDataSet.Batch onDevice(Batch batch, Augmentation augmentation) {
    int count = batch.labels().length;
    try (NativeDataSet bytes =
        context.dataSet(
            batch.pixels(), batch.labels(), count, images.channels(), images.height(), images.width(),
            images.classes(), images.mean(), images.deviation())) {
      bytes.choose(IntStream.range(0, count).toArray(), 0, count);
      return bytes.batch(augmentation);
    }
  }

  @Override
  public void close() {
    // Each pass closes what it has opened.
  }
}
