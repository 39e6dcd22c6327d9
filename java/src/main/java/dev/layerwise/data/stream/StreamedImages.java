package dev.layerwise.data.stream;

import dev.layerwise.data.DataException;
import dev.layerwise.data.Fingerprint;
import dev.layerwise.data.Images;
import dev.layerwise.data.Seeds;
import dev.layerwise.data.stream.SquareDecoder.Placement;
import dev.layerwise.files.FileNames;
import dev.layerwise.settings.Augmentation;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * Labelled images that stay on disk and are read batch by batch. An image, as it is seen in an epoch, depends on the
 * seed, the epoch and its number alone: not on the threads, the batches or the order. Safe for use by several threads.
 */
public final class StreamedImages implements Images {
  private static final int CHANNELS = 3;
  private static final float[] MEAN = {0.485f, 0.456f, 0.406f};
  private static final float[] DEVIATION = {0.229f, 0.224f, 0.225f};

  private final ImageFiles files;
  private final List<String> classNames;
  private final boolean augmented;
  private final StreamOptions options;
  /** Guarded by itself. */
  private final BitSet skipped;

  StreamedImages(ImageFiles files, List<String> classNames, boolean augmented, StreamOptions options) {
    this(files, classNames, augmented, options, new BitSet());
  }

  private StreamedImages(
      ImageFiles files, List<String> classNames, boolean augmented, StreamOptions options, BitSet skipped) {
    this.skipped = skipped;
    this.files = files;
    this.classNames = List.copyOf(classNames);
    this.augmented = augmented;
    this.options = options;
  }

  /** Number of files, those included that turn out not to be usable. */
  @Override
  public int count() {
    return files.count();
  }

  /** Number of classes. */
  @Override
  public int classes() {
    return classNames.size();
  }

  /** Names of the classes' folders, in the order of the labels. */
  public List<String> classNames() {
    return classNames;
  }

  /** Always 3: red, green, blue. */
  @Override
  public int channels() {
    return CHANNELS;
  }

  /** Height and width of the images as they are handed out. */
  public int size() {
    return options.size();
  }

  /** What the shorter side of a test image is made before its centre is cut out. */
  public int testResize() {
    return options.testResize();
  }

  /** The centre of each image. */
  @Override
  public StreamedImages plain() {
    return new StreamedImages(files, classNames, false, options, skipped);
  }

  @Override
  public int height() {
    return options.size();
  }

  @Override
  public int width() {
    return options.size();
  }

  @Override
  public int[] labels() {
    return IntStream.range(0, count()).map(this::label).toArray();
  }

  @Override
  public Fingerprint fingerprint() {
    Fingerprint ofFiles = Fingerprint.ofFiles(files.folder(), files::path, labels());
    return options.exif() ? ofFiles : ofFiles.withoutExif();
  }

  /** ImageNet's, per channel, of pixel / 255. */
  public float[] mean() {
    return MEAN.clone();
  }

  /** ImageNet's standard deviations, per channel, of pixel / 255. */
  public float[] deviation() {
    return DEVIATION.clone();
  }

  /** The file of an image. */
  public Path path(int index) {
    return files.path(index);
  }

  /** Class of an image, 0 to {@link #classes} − 1. */
  public int label(int index) {
    return files.label(index);
  }

  /** Number of different images that were left out so far, because they could not be used. */
  public int skipped() {
    synchronized (skipped) {
      return skipped.cardinality();
    }
  }

  /**
   * Begins to read images; close what it returns.
   *
   * @param order numbers of the images, in the order in which they are wanted; not copied, leave it as it is
   * @param batchSize images per batch; the last one has what is left. A batch is smaller by the images in it that
   *     cannot be used
   * @param seed of the run
   * @param epoch as for {@link dev.layerwise.data.EpochOrder}; test images are the same in each
   * @param augmentation whole: how training images are cropped and flipped; {@code null}: not, their centres are read
   */
  public BatchSource open(int[] order, int batchSize, long seed, int epoch, Augmentation augmentation) {
    if (batchSize < 1 || (long) batchSize * imageBytes() > Integer.MAX_VALUE - 8) {
      throw new DataException("A batch of " + batchSize + " images of " + size() + "×" + size()
          + " pixels cannot be made; choose another batch size.");
    }
    return new BatchSource(
        this, options, order, batchSize,
        (index, target, offset) -> render(index, seed, epoch, augmentation, target, offset));
  }

  /** Bytes of an image as it is handed out. */
  public int imageBytes() {
    return CHANNELS * options.size() * options.size();
  }

  /** Writes an image into a batch. */
  private void render(int index, long seed, int epoch, Augmentation augmentation, byte[] target, int offset)
      throws ImageDecoder.UnusableException {
    SquareDecoder.read(
        files.path(index), options.exif(),
        (height, width) -> augmented && augmentation != null
            ? augmented(height, width, index, seed, epoch, augmentation)
            : new Placement(center(height, width), false),
        options.size(), target, offset);
  }

  private Resampler.Box center(int height, int width) {
    return Crops.center(height, width, options.size(), options.testResize());
  }

  private Placement augmented(int height, int width, int index, long seed, int epoch, Augmentation augmentation) {
    Random random = new Random(Seeds.derive(seed, epoch, index));
    double leastArea = augmentation.cropScaleWhenRead();
    Resampler.Box box = leastArea == 0 ? center(height, width) : Crops.random(height, width, leastArea, random);
    boolean flip =
        augmentation.flipsWhenRead()
            && (augmentation.alternatesFlips() ? isAlternatelyFlipped(index, seed, epoch) : random.nextBoolean());
    return new Placement(box, flip);
  }

  /** Epochs begin at 1: no image's seed in an epoch is that of 0. */
  private static boolean isAlternatelyFlipped(int index, long seed, int epoch) {
    boolean inOddEpochs = new Random(Seeds.derive(seed, 0, index)).nextBoolean();
    return inOddEpochs == (epoch % 2 == 1);
  }

  /** Leaves an image out, or ends the run. */
  void refuse(int index, ImageDecoder.UnusableException reason) {
    String sentence = FileNames.text(files.path(index)) + " " + reason.getMessage();
    if (options.strict()) {
      throw new DataException(sentence + "; repair or remove it, or skip such images.", reason);
    }
    synchronized (skipped) {
      if (skipped.get(index)) {
        return;
      }
      skipped.set(index);
    }
    Consumer<String> listener = options.skipped();
    listener.accept(sentence + "; it is skipped.");
  }
}
