package dev.layerwise.data;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Locale;
import java.util.Set;
import us.hebi.matlab.mat.format.BufferAllocator;
import us.hebi.matlab.mat.format.Mat5;
import us.hebi.matlab.mat.format.Mat5File;
import us.hebi.matlab.mat.format.Mat5Reader.EntryHeader;
import us.hebi.matlab.mat.types.MatFile;
import us.hebi.matlab.mat.types.MatlabType;
import us.hebi.matlab.mat.types.Matrix;
import us.hebi.matlab.mat.types.Sources;

/**
 * SVHN's cropped digits, a MAT file (level 5) with X, uint8 of 32×32×3×N, and y, the labels of N images, where 10
 * stands for the digit 0. MATLAB's order has the row change fastest: an image is three planes, column by column.
 *
 * <p>The pixels go from the file straight into the array that is kept, behind those of an earlier file: the training
 * images alone are 1.9 GB, and nothing of that size is held twice.
 */
final class SvhnReader {
  private static final String IMAGES = "X";
  private static final String LABELS = "y";
  private static final long MEBIBYTE = 1 << 20;
  private static final Set<MatlabType> NUMBERS = Set.of(MatlabType.Double, MatlabType.Single, MatlabType.Int8,
      MatlabType.UInt8, MatlabType.Int16, MatlabType.UInt16, MatlabType.Int32, MatlabType.UInt32, MatlabType.Int64,
      MatlabType.UInt64);

  private final DataFile file;
  private final DataSetInfo info;
  private final int most;
  private final ImageSet before;
  private ByteBuffer pixels;
  /** What the variable whose header was read last may take, in bytes, and whether it is the images. */
  private long allowance;
  private boolean atImages;

  /**
   * A reader of one file.
   *
   * @param most the number of images in the official file; fewer are taken, more are not
   * @param before images to go before those of the file, or null
   */
  SvhnReader(DataFile file, DataSetInfo info, int most, ImageSet before) {
    this.file = file;
    this.info = info;
    this.most = most;
    this.before = before;
  }

  /**
   * The images before and those of the file.
   *
   * @throws DataException if the file is damaged or not one of SVHN
   */
  ImageSet read() {
    Matrix labels = labels(parse());
    SquarePlanes.transpose(pixels, bytesBefore(), info.height());
    return new ImageSet(pixels, classes(labels), info.channels(), info.height(), info.width(), info.classes());
  }

  /** Reads X into {@link #pixels}; what it returns has y. */
  private Mat5File parse() {
    try {
      return Mat5.newReader(Sources.wrapInputStream(file.stream()))
          .disableSubsystemProcessing()
          .setEntryFilter(this::accept)
          .setBufferAllocator(new Buffers())
          .readMat();
    } catch (IOException e) {
      throw failure(e);
    }
  }

  private DataException failure(IOException e) {
    // The parser wraps what its callbacks throw, and what it finds wrong with the file.
    for (Throwable cause = e; cause != null; cause = cause.getCause()) {
      if (cause instanceof DataException refused) {
        return refused;
      }
      if (cause instanceof EOFException) {
        return new DataException(file.name() + " is cut off: it ends before its variables do; copy or download it "
            + "again.", e);
      }
    }
    Throwable cause = e.getCause() == null ? e : e.getCause();
    return new DataException(file.name() + " is damaged or not a MAT file of level 5 (" + cause.getMessage()
        + "); check that it is the right file, or download it again.", e);
  }

  /** Looks at a variable's header; other variables than X and y are passed over. */
  private boolean accept(EntryHeader header) {
    int[] sizes = header.getDimensions();
    atImages = header.getName().equals(IMAGES);
    if (atImages) {
      boolean expected = header.getType() == MatlabType.UInt8 && !header.isComplex() && sizes.length == 4
          && sizes[0] == info.height() && sizes[1] == info.width() && sizes[2] == info.channels() && sizes[3] > 0;
      if (!expected || pixels != null) {
        throw new DataException(file.name() + " is not a file of " + info.title() + ": its variable X is "
            + description(header) + ", where " + info.height() + "×" + info.width() + "×" + info.channels()
            + "×N of uint8 is expected; check that it is the right file.");
      }
      checkCount(sizes[3]);
      allowance = (long) sizes[3] * info.pixelsPerImage();
      return true;
    }
    if (header.getName().equals(LABELS)) {
      if (!NUMBERS.contains(header.getType()) || header.isComplex()) {
        throw new DataException(file.name() + " is not a file of " + info.title() + ": its variable y is "
            + description(header) + ", where numbers are expected; check that it is the right file.");
      }
      allowance = (long) most * Double.BYTES;
      return true;
    }
    return false;
  }

  private static String description(EntryHeader header) {
    StringBuilder sizes = new StringBuilder();
    for (int size : header.getDimensions()) {
      sizes.append(sizes.isEmpty() ? "" : "×").append(size);
    }
    return sizes + " of " + header.getType().name().toLowerCase(Locale.ROOT);
  }

  private void checkCount(int count) {
    if (count > most) {
      throw new DataException(file.name() + " holds " + count + " images, more than the " + most
          + " that this file of " + info.title() + " has; check that it is the right file.");
    }
  }

  private Matrix labels(Mat5File content) {
    Matrix labels = null;
    for (MatFile.Entry entry : content.getEntries()) {
      if (entry.getName().equals(LABELS)) {
        labels = (Matrix) entry.getValue();
      }
    }
    if (pixels == null || labels == null) {
      throw new DataException(file.name() + " is not a file of " + info.title() + ": it lacks the variable "
          + (pixels == null ? IMAGES : LABELS) + "; check that it is the right file, or download it again.");
    }
    int count = (pixels.limit() - bytesBefore()) / info.pixelsPerImage();
    if (labels.getNumElements() != count) {
      throw new DataException(file.name() + " holds " + count + " images but " + labels.getNumElements()
          + " labels; download it again.");
    }
    return labels;
  }

  private int[] classes(Matrix labels) {
    int first = before == null ? 0 : before.count();
    int[] classes = before == null ? new int[labels.getNumElements()]
        : Arrays.copyOf(before.labels(), first + labels.getNumElements());
    for (int image = 0; image < labels.getNumElements(); image++) {
      double label = labels.getDouble(image);
      if (!(label >= 1 && label <= info.classes() && label == Math.rint(label))) {
        throw new DataException(file.name() + " gives image " + image + " the label " + label + ", where "
            + info.title() + " has 1 to " + info.classes() + "; check that it is the right file.");
      }
      classes[first + image] = (int) label % info.classes();
    }
    return classes;
  }

  private int bytesBefore() {
    return before == null ? 0 : before.pixels().limit();
  }

  /** Memory for the parser: for X the array that is kept. */
  private final class Buffers implements BufferAllocator {
    @Override
    public ByteBuffer allocate(int numBytes) {
      if (numBytes < 0 || (atImages ? numBytes != allowance || pixels != null : numBytes > allowance)) {
        throw new DataException(file.name() + " is damaged: a variable of " + allowance + " bytes claims "
            + Integer.toUnsignedString(numBytes) + "; download it again.");
      }
      if (!atImages) {
        return ByteBuffer.allocate(numBytes);
      }
      int offset = bytesBefore();
      try {
        pixels = ByteBuffer.allocateDirect(offset + numBytes);
      } catch (OutOfMemoryError e) {
        throw new DataException(info.title() + " needs " + ((long) offset + offset + numBytes) / MEBIBYTE
            + " MiB of memory outside Java's heap for the images of " + file.name() + "; let Java have more, such as with "
            + "LAYERWISE_JAVA_OPTIONS=-XX:MaxDirectMemorySize=4g.", e);
      }
      if (before != null) {
        pixels.put(0, before.pixels(), 0, offset);
      }
      return pixels.slice(offset, numBytes);
    }

    @Override
    public void release(ByteBuffer buffer) {
      // Left to the garbage collector.
    }
  }
}
