package dev.layerwise.train;

import dev.layerwise.data.DataSetInfo;
import dev.layerwise.data.ImageSet;
import dev.layerwise.data.Images;
import dev.layerwise.data.stream.StreamedImages;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeDataSet;
import dev.layerwise.settings.Augmentation;

/** Images that come to a network's device batch by batch. Belongs to the context's thread. */
public interface ImageFeed extends AutoCloseable {
  /**
   * Begins to pass images by; close what it returns.
   *
   * @param order numbers of the images, in the order in which they are wanted
   * @param from position in the order at which to begin
   * @param slice the part of each batch that is passed by
   * @param epoch what the images look like may depend on it
   * @param augmentation done on the device, or, as far as it is done to images on disk when they are read, there;
   *     {@code null}: nothing
   */
  Pass pass(int[] order, int from, int batchSize, BatchSlice slice, int epoch, Augmentation augmentation);

  @Override
  void close();

  /** One pass over images. */
  interface Pass extends AutoCloseable {
    /** Moves on to the next batch; false after the last. */
    boolean advance();

    /** Images of this process's slice of the batch; 0 where the last batch has fewer than there are processes. */
    int count();

    /** The slice on the device, which is the caller's to close; there is none of 0 images. */
    NativeDataSet.Batch batch();

    /** The class of an image of the slice. */
    int label(int index);

    /** The number in the data set, from 0, of an image of the slice. */
    int number(int index);

    /** An image of the slice as bytes, neither augmented nor normalized: levels in (C, H, W) order. */
    byte[] pixels(int index);

    /** Whether batches come from the same place on the device, so that a step can be replayed on the next. */
    boolean staysInPlace();

    /** Position in the order behind the batch. */
    int position();

    @Override
    void close();
  }

  /**
   * A feed of images in memory, which are copied to the device once, or of images on disk, which are read ahead.
   *
   * @param seed of the run: with the epoch it decides how images on disk are cropped
   */
  static ImageFeed of(NativeContext context, Images images, DataSetInfo info, long seed) {
    if (images instanceof ImageSet inMemory) {
      return new ResidentFeed(context, inMemory, info);
    }
    return new StreamedFeed(context, (StreamedImages) images, seed);
  }
}
