package dev.layerwise.train;

import dev.layerwise.data.DataSetInfo;
import dev.layerwise.model.DeviceNetwork;
import dev.layerwise.nativelib.NativeContext;
import dev.layerwise.nativelib.NativeDataSet;
import dev.layerwise.nativelib.NativeTensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Shows a network several views of each test image, and counts the mistakes of the mean of the output layer's probabilities.
 * A mean of probabilities, not of logits: no view outvotes the others because its logits are large, and it is how
 * classifiers are averaged. Views are made from the images' bytes, and normalized as images are.
 */
public final class TestTimeAugmentation implements Evaluator.BatchConsumer {
  /** Pixels by which an image is moved. */
  private static final int SHIFT = 2;

  private final NativeContext context;
  private final DeviceNetwork network;
  private final DataSetInfo info;
  private final List<View> views; // besides the image itself
  private int images;
  private int wrong;
  /** {@code null}: nothing is kept but the number of mistakes. */
  private ImageLogits means;

  /** Which views there are. */
  public enum Kind {
    /** The image and its mirror image. */
    MIRROR,
    /** The image, and the image moved by 2 pixels to each of the four corners over black; all of them mirrored, too. */
    MULTI_CROP
  }

  /**
   * A view of an image.
   *
   * @param down pixels by which it is moved down; negative: up
   * @param right likewise
   */
  record View(int down, int right, boolean mirrored) {
    static final View PLAIN = new View(0, 0, false);

    /** Writes the view of an image of the given planes. */
    void write(byte[] pixels, int planes, int height, int width, byte[] to, int offset) {
      for (int plane = 0; plane < planes; plane++) {
        for (int y = 0; y < height; y++) {
          for (int x = 0; x < width; x++) {
            int fromY = y - down;
            int fromX = (mirrored ? width - 1 - x : x) - right;
            boolean inside = fromY >= 0 && fromY < height && fromX >= 0 && fromX < width;
            to[offset + (plane * height + y) * width + x] =
                inside ? pixels[(plane * height + fromY) * width + fromX] : 0;
          }
        }
      }
    }
  }

  /**
   * Begins to count.
   *
   * @param context the network's
   */
  public TestTimeAugmentation(Kind kind, NativeContext context, DeviceNetwork network, DataSetInfo info) {
    this.context = context;
    this.network = network;
    this.info = info;
    views = views(kind).stream().filter(view -> !view.equals(View.PLAIN)).toList();
  }

  static List<View> views(Kind kind) {
    List<View> views = new ArrayList<>();
    for (boolean mirrored : new boolean[] {false, true}) {
      views.add(new View(0, 0, mirrored));
      if (kind == Kind.MULTI_CROP) {
        for (int down : new int[] {-SHIFT, SHIFT}) {
          for (int right : new int[] {-SHIFT, SHIFT}) {
            views.add(new View(down, right, mirrored));
          }
        }
      }
    }
    return views;
  }

  /** How many views of an image are averaged, itself included. */
  public int viewCount() {
    return views.size() + 1;
  }

  /** Also puts the logarithm of each image's mean probabilities there. */
  public void keepIn(ImageLogits kept) {
    means = kept;
  }

  @Override
  public void accept(int number, ImageFeed.Pass batch, List<float[]> ofClassifiers) {
    int classes = info.classes();
    int count = batch.count();
    double[][] sums = new double[count][classes];
    add(ofClassifiers.get(ofClassifiers.size() - 1), sums);
    for (View view : views) {
      add(logits(batch, view), sums);
    }
    for (int i = 0; i < count; i++) {
      wrong += Probabilities.largest(sums[i]) == batch.label(i) ? 0 : 1;
      if (means != null) {
        means.add(number, batch, i, Arrays.stream(sums[i]).map(sum -> Math.log(sum / viewCount())).toArray());
      }
    }
    images += count;
  }

  private static void add(float[] logits, double[][] sums) {
    for (int i = 0; i < sums.length; i++) {
      int classes = sums[i].length;
      double[] probabilities = Probabilities.softmax(logits, i * classes, classes);
      for (int c = 0; c < classes; c++) {
        sums[i][c] += probabilities[c];
      }
    }
  }

  private float[] logits(ImageFeed.Pass batch, View view) {
    int count = batch.count();
    int bytes = info.pixelsPerImage();
    byte[] pixels = new byte[count * bytes];
    for (int i = 0; i < count; i++) {
      view.write(batch.pixels(i), info.channels(), info.height(), info.width(), pixels, i * bytes);
    }
    try (NativeDataSet seen =
        context.dataSet(
            pixels, new int[count], count, info.channels(), info.height(), info.width(), info.classes(), info.mean(),
            info.deviation())) {
      seen.choose(IntStream.range(0, count).toArray(), 0, count);
      try (NativeDataSet.Batch images = seen.batch(null);
          NativeTensor logits = network.evaluate(images.images(), null)) {
        return logits.read();
      }
    }
  }

  /** What the mean errs on, in percent, of the images of all processes; all of them call it. */
  public double error(Communicator processes) {
    int[] sums = new int[2];
    for (int[] counted : processes.gather(new int[] {wrong, images}, int[].class)) {
      sums[0] += counted[0];
      sums[1] += counted[1];
    }
    return 100.0 * sums[0] / sums[1];
  }
}
