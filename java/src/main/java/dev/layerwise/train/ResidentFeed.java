package dev.layerwise.train;

import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.ImageSet;
import dev.layerwise.nativelib.Augmentation;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeDataSet;

/** Images that lie on the device as bytes. */
final class ResidentFeed implements ImageFeed {
  private final NativeDataSet images;

  ResidentFeed(NativeContext context, ImageSet images, DataSetInfo info) {
    this.images =
        context.dataSet(
            images.pixels(), images.labels(), images.count(), images.channels(), images.height(), images.width(),
            images.classes(), info.mean(), info.deviation());
  }

  @Override
  public Pass pass(int[] order, int from, int batchSize, int epoch, Augmentation augmentation) {
    return new Pass() {
      private int position = from;

      @Override
      public NativeDataSet.Batch next() {
        int count = Math.min(batchSize, order.length - position);
        if (count == 0) {
          return null;
        }
        NativeDataSet.Batch batch = images.batch(order, position, count, augmentation);
        position += count;
        return batch;
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
    images.close();
  }
}
