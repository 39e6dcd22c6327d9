package dev.layerwise.train;

import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.ImageSet;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeDataSet;
import dev.layerwise.settings.Augmentation;

/** Images that lie on the device as bytes. */
final class ResidentFeed implements ImageFeed {
  private final ImageSet images;
  private final NativeDataSet onDevice;

  ResidentFeed(NativeContext context, ImageSet images, DataSetInfo info) {
    this.images = images;
    onDevice =
        context.dataSet(
            images.pixels(), images.labels(), images.count(), images.channels(), images.height(), images.width(),
            images.classes(), info.mean(), info.deviation());
  }

  @Override
  public Pass pass(
      int[] order, int from, int batchSize, BatchSlice slice, int epoch, Augmentation augmentation) {
    return new Pass() {
      private int position = from;
      private int first; // of the slice, in the order
      private int count;

      @Override
      public boolean advance() {
        int batch = Math.min(batchSize, order.length - position);
        if (batch == 0) {
          return false;
        }
        first = position + slice.begin(batch);
        count = slice.count(batch);
        if (count > 0) {
          onDevice.choose(order, first, count);
        }
        position += batch;
        return true;
      }

      @Override
      public int count() {
        return count;
      }

      @Override
      public NativeDataSet.Batch batch() {
        return onDevice.batch(augmentation);
      }

      @Override
      public int label(int index) {
        return images.labels()[order[first + index]];
      }

      @Override
      public int number(int index) {
        return order[first + index];
      }

      @Override
      public byte[] pixels(int index) {
        return images.pixels(order[first + index]);
      }

      @Override
      public boolean staysInPlace() {
        return true;
      }

      @Override
      public int position() {
        return position;
      }

      @Override
      public void close() {
        // The images stay for the next pass.
      }
    };
  }

  @Override
  public void close() {
    onDevice.close();
  }
}
