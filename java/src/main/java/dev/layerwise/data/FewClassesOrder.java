package dev.layerwise.data;

import java.util.Arrays;

/**
 * The order of an epoch most of whose batches show few classes, as the published recipes for CIFAR-100 want it: the
 * similarity loss learns little from a batch with hardly two images of a class.
 *
 * <p>The images are shuffled and stand in a line. A batch takes the first n of the line; while it shows fewer than
 * {@value #SUFFICIENT_CLASSES} classes, it takes images of unseen classes on a walk from the front that ends when
 * {@value #PASSED_OVER_PER_IMAGE}·n images have been passed over; then, from the front again, images of the classes
 * that it has, until it is full; and if the line has no more of those, any, from the front.
 *
 * <p>Whatever a batch takes of a class is the first of that class in the line. So the line is a linked list over all
 * classes with a list per class inside it, and an epoch costs O(images · classes of a batch) and the walks.
 */
public final class FewClassesOrder {
  private static final int SUFFICIENT_CLASSES = 10;
  private static final int PASSED_OVER_PER_IMAGE = 10;

  private final int[] labels;
  private final int batchSize;
  private final int imagesFirst;
  private final Line line;
  private final int[] order;
  private int filled;

  /** Classes of the batch in hand: a set, and its elements in the first {@code presentCount} entries of a list. */
  private final boolean[] isPresent;

  private final int[] present;
  private int presentCount;

  private FewClassesOrder(int[] labels, int classes, int batchSize, int imagesFirst, int[] shuffled) {
    this.labels = labels;
    this.batchSize = batchSize;
    this.imagesFirst = imagesFirst;
    line = new Line(shuffled, labels, classes);
    order = new int[labels.length];
    isPresent = new boolean[classes];
    present = new int[classes];
  }

  /**
   * A permutation of 0 … labels.length − 1 to be cut into batches of {@code batchSize}, the same for the same arguments
   * on every machine and Java version, as that of {@link EpochOrder}, from which it is made.
   *
   * @param labels one class number per image, 0 to classes − 1
   * @param batchSize images per batch, at least 1
   * @param classesPerBatch n, at least 1; from {@code batchSize} on, the order is that of {@link EpochOrder}
   * @param seed of the run
   * @param epoch counted from 1
   */
  public static int[] shuffled(int[] labels, int classes, int batchSize, int classesPerBatch, long seed, int epoch) {
    int[] shuffled = EpochOrder.shuffled(labels.length, seed, epoch);
    FewClassesOrder order = new FewClassesOrder(labels, classes, batchSize, classesPerBatch, shuffled);
    while (order.filled < labels.length) {
      order.nextBatch();
    }
    return order.order;
  }

  private void nextBatch() {
    int end = (int) Math.min((long) filled + batchSize, order.length);
    int firstEnd = (int) Math.min((long) filled + imagesFirst, end);
    startBatch();
    while (filled < firstEnd) {
      take(line.first());
    }
    addUnseenClasses(end);
    for (int image = firstOfPresentClasses(); filled < end && image != Line.END; image = firstOfPresentClasses()) {
      take(image);
    }
    while (filled < end) {
      take(line.first());
    }
  }

  private void startBatch() {
    for (int i = 0; i < presentCount; i++) {
      isPresent[present[i]] = false;
    }
    presentCount = 0;
  }

  private void addUnseenClasses(int end) {
    long passedOver = 0;
    int image = line.first();
    while (filled < end && presentCount < SUFFICIENT_CLASSES && image != Line.END
        && passedOver < (long) PASSED_OVER_PER_IMAGE * imagesFirst) {
      int next = line.after(image);
      if (isPresent[labels[image]]) {
        passedOver++;
      } else {
        take(image);
      }
      image = next;
    }
  }

  private int firstOfPresentClasses() {
    int first = Line.END;
    for (int i = 0; i < presentCount; i++) {
      int image = line.firstOf(present[i]);
      if (image != Line.END && (first == Line.END || line.place(image) < line.place(first))) {
        first = image;
      }
    }
    return first;
  }

  private void take(int image) {
    int label = labels[image];
    if (!isPresent[label]) {
      isPresent[label] = true;
      present[presentCount++] = label;
    }
    line.removeFirstOf(label);
    order[filled++] = image;
  }

  /** The images that are left, in shuffled order; any class's first can be asked for and removed in O(1). */
  private static final class Line {
    static final int END = -1;

    private final int[] place;
    private final int[] before;
    private final int[] after;
    private final int[] sameClassAfter;
    private final int[] firstOf;
    private int first = END;

    Line(int[] shuffled, int[] labels, int classes) {
      place = new int[shuffled.length];
      before = new int[shuffled.length];
      after = new int[shuffled.length];
      sameClassAfter = new int[shuffled.length];
      firstOf = new int[classes];
      Arrays.fill(firstOf, END);
      for (int i = shuffled.length - 1; i >= 0; i--) {
        int image = shuffled[i];
        place[image] = i;
        after[image] = first;
        before[image] = END;
        if (first != END) {
          before[first] = image;
        }
        first = image;
        sameClassAfter[image] = firstOf[labels[image]];
        firstOf[labels[image]] = image;
      }
    }

    int first() {
      return first;
    }

    int after(int image) {
      return after[image];
    }

    int firstOf(int label) {
      return firstOf[label];
    }

    /** Where the image stood before any was removed. */
    int place(int image) {
      return place[image];
    }

    void removeFirstOf(int label) {
      int image = firstOf[label];
      firstOf[label] = sameClassAfter[image];
      if (before[image] == END) {
        first = after[image];
      } else {
        after[before[image]] = after[image];
      }
      if (after[image] != END) {
        before[after[image]] = before[image];
      }
    }
  }
}
