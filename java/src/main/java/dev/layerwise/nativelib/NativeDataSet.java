package dev.layerwise.nativelib;

import static dev.layerwise.nativelib.NativeLibrary.check;

import dev.layerwise.nativelib.generated.AugmentationStruct;
import dev.layerwise.nativelib.generated.DataSetPointer;
import dev.layerwise.nativelib.generated.LayerwiseApi;
import dev.layerwise.nativelib.generated.TensorPointer;
import dev.layerwise.settings.Augmentation;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Locale;

/** Byte images and their labels, resident on a device; batches are cut, augmented and normalized there. */
public final class NativeDataSet extends NativeHandle<DataSetPointer> {

  /**
   * A batch, to be closed after use.
   *
   * @param images (N, C, H, W)
   * @param labels N class numbers, or of mixed images the share of each class, (N, classes)
   */
  public record Batch(NativeTensor images, NativeTensor labels) implements AutoCloseable {
    @Override
    public void close() {
      images.close();
      labels.close();
    }
  }

  /** Kept from the garbage collector: the device may use it in place. */
  private final ByteBuffer pixels;

  NativeDataSet(NativeContext context, DataSetPointer pointer, ByteBuffer pixels) {
    super(context, pointer);
    this.pixels = pixels;
  }

  /**
   * Chooses the images that {@code indices[from]} … {@code indices[from + count − 1]} name for {@link #batch}.
   *
   * @throws InvalidArgumentException if an index names no image, or there are not so many indices
   */
  public void choose(int[] indices, int from, int count) {
    if (from < 0 || count < 1 || count > indices.length - from) {
      throw new InvalidArgumentException(
          String.format(Locale.ROOT, "a batch of %d from position %d does not fit into %d indices", count, from, indices.length));
    }
    int[] chosen = Arrays.copyOfRange(indices, from, from + count);
    synchronized (lock()) {
      check(LayerwiseApi.layerwise_dataset_choose(pointer(), chosen, count));
    }
  }

  /**
   * The chosen images.
   *
   * @param augmentation drawn anew for the context's step; null: none, as in evaluation
   * @throws InvalidStateException if none were chosen
   */
  public Batch batch(Augmentation augmentation) {
    synchronized (lock()) {
      DataSetPointer dataSet = pointer();
      TensorPointer images = new TensorPointer();
      TensorPointer labels = new TensorPointer();
      try (AugmentationStruct struct = augmentation == null || augmentation.changesNothing() ? null : structOf(augmentation)) {
        check(LayerwiseApi.layerwise_dataset_batch(dataSet, struct, images, labels));
      }
      return new Batch(new NativeTensor(context(), images), new NativeTensor(context(), labels));
    }
  }

  private static AugmentationStruct structOf(Augmentation augmentation) {
    return new AugmentationStruct() // not by name: this is done for every batch
        .crop_padding(augmentation.cropPadding())
        .horizontal_flip(!augmentation.horizontalFlip() ? 0 : augmentation.alternatesFlips() ? 2 : 1)
        .n_holes(augmentation.nHoles())
        .length(augmentation.length())
        .mixup(augmentation.mixup() == null ? 0 : augmentation.mixup())
        .cutmix(augmentation.cutmix() == null ? 0 : augmentation.cutmix());
  }

  @Override
  void free(DataSetPointer pointer) {
    LayerwiseApi.layerwise_dataset_close(pointer);
  }

  @Override
  String description() {
    return "the data set";
  }
}
