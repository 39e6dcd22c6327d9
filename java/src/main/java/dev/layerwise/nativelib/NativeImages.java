package dev.layerwise.nativelib;

import static dev.layerwise.nativelib.NativeLibrary.check;

import dev.layerwise.nativelib.generated.LayerwiseApi;
import java.nio.ByteBuffer;
import java.util.Optional;

/** Decodes and resizes images. Safe for use by several threads. */
public final class NativeImages {
  /** What the components of a JPEG file are. */
  public enum JpegColors {
    /** Only how light it is. */
    GREY(LayerwiseApi.LAYERWISE_JPEG_GREY),
    /** Lightness and two differences of colours. */
    YCBCR(LayerwiseApi.LAYERWISE_JPEG_YCBCR),
    /** Red, green and blue. */
    RGB(LayerwiseApi.LAYERWISE_JPEG_RGB);

    private final int number;

    JpegColors(int number) {
      this.number = number;
    }
  }

  private static final ThreadLocal<ByteBuffer> PLANES = ThreadLocal.withInitial(() -> ByteBuffer.allocateDirect(0));

  private NativeImages() {}

  private static final class Jpeg {
    /** {@code null}: none. */
    static final String PROBLEM = problem();

    private static String problem() {
      try {
        NativeLibrary.load();
        DeviceLibraries.provide(DeviceLibraries.JPEG, "for JPEG files");
        check(LayerwiseApi.layerwise_jpeg_check());
        return null;
      } catch (DeviceUnavailableException e) {
        return e.getMessage();
      }
    }
  }

  /** Why {@link #decodeJpeg} does not work here, and what to do; empty if it does. */
  public static Optional<String> jpegProblem() {
    return Optional.ofNullable(Jpeg.PROBLEM);
  }

  /**
   * Decodes a whole JPEG file.
   *
   * @return red, green and blue levels in (height, width, 3) order
   * @throws InvalidArgumentException if it is damaged, even if most of it could be decoded, or does not have this size
   * @throws DeviceUnavailableException if {@link #jpegProblem} says why
   */
  public static byte[] decodeJpeg(byte[] file, JpegColors colors, int height, int width) {
    requireJpeg();
    byte[] levels = new byte[3 * height * width];
    check(LayerwiseApi.layerwise_jpeg_decode(file, file.length, colors.number, height, width, levels));
    return levels;
  }

  /**
   * A box of an image, and the square that it is resized to. Pixels just outside the box count, too, where the image has them.
   *
   * @param top of the box; its edges may lie between pixels
   * @param size of the square's sides
   * @param flip whether to mirror it left to right
   */
  public record Square(double top, double left, double height, double width, int size, boolean flip) {
    private int bytes() {
      return 3 * size * size;
    }
  }

  /**
   * Resizes a box of an image to planes, with PIL's bilinear filter.
   *
   * @param levels red, green and blue in (height, width, 3) order
   * @param target receives (3, size, size) bytes from {@code offset} on
   */
  public static void resample(byte[] levels, int height, int width, Square square, byte[] target, int offset) {
    if (levels.length != 3L * height * width) {
      throw new InvalidArgumentException(levels.length + " levels are no image of " + height + "×" + width + " pixels");
    }
    NativeLibrary.load();
    ByteBuffer planes = planes(square);
    check(LayerwiseApi.layerwise_image_resample(
        ByteBuffer.wrap(levels), height, width, square.top(), square.left(), square.height(), square.width(), square.size(),
        square.flip() ? 1 : 0, planes));
    planes.get(0, target, offset, square.bytes());
  }

  /** {@link #decodeJpeg} and {@link #resample} in one, which takes less time. */
  public static void resampleJpeg(
      byte[] file, JpegColors colors, int height, int width, Square square, byte[] target, int offset) {
    requireJpeg();
    ByteBuffer planes = planes(square);
    check(LayerwiseApi.layerwise_jpeg_resample(
        ByteBuffer.wrap(file), file.length, colors.number, height, width, square.top(), square.left(), square.height(),
        square.width(), square.size(), square.flip() ? 1 : 0, planes));
    planes.get(0, target, offset, square.bytes());
  }

  /** Memory that native code writes to without copies, this thread's. */
  private static ByteBuffer planes(Square square) {
    if (PLANES.get().capacity() < square.bytes()) {
      PLANES.set(ByteBuffer.allocateDirect(square.bytes()));
    }
    return PLANES.get();
  }

  private static void requireJpeg() {
    if (Jpeg.PROBLEM != null) {
      throw new DeviceUnavailableException(Jpeg.PROBLEM);
    }
  }
}
