package dev.layerwise.data.stream;

import dev.layerwise.data.DataException;
import dev.layerwise.files.FileNames;
import java.awt.image.BufferedImage;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Reads single images (JPEG, PNG, GIF, BMP or TIFF) as a network takes them. The image is resized so that its shorter
 * side has a given length, and a square is cut from its centre, as test images of an {@link ImageFolder} are. For one
 * channel the levels are 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), which leaves grey levels as they are; for three
 * channels grey levels are repeated.
 *
 * @param channels 1 or 3
 * @param size height and width that come out
 * @param resize length of the shorter side before the square is cut out, at least {@code size}
 * @param exif whether an image is turned as its camera's mark of orientation (EXIF) says
 */
public record ImageReader(int channels, int size, int resize, boolean exif) {
  /** Checks the numbers; throws {@link DataException}. */
  public ImageReader {
    if (channels != 1 && channels != 3) {
      throw new DataException("Images have 1 or 3 channels, but the network takes " + channels
          + "; give it pixels instead of image files.");
    }
    if (size < 1 || resize < size) {
      throw new DataException("Images cannot be resized to " + resize + " and cut to " + size + " pixels.");
    }
  }

  /**
   * Why JPEG files are decoded by Java, with the same result but in more time, and what to do about it; empty if libjpeg-turbo
   * decodes them.
   */
  public static Optional<String> jpegProblem() {
    return JpegDecoder.nativeProblem();
  }

  /**
   * Reads a file.
   *
   * @return levels 0 to 255 in (C, H, W) order
   * @throws DataException if it is no image that can be used, in a sentence that names it
   */
  public byte[] read(Path file) {
    try {
      return fit(ImageDecoder.content(file));
    } catch (ImageDecoder.UnusableException e) {
      throw new DataException(FileNames.text(file) + " " + e.getMessage() + ".", e);
    }
  }

  /**
   * Reads an encoded image, as it comes over a network.
   *
   * @return as {@link #read(Path)}
   * @throws DataException if it is no image that can be used
   */
  public byte[] decode(byte[] encoded) {
    try {
      return fit(encoded);
    } catch (ImageDecoder.UnusableException e) {
      throw new DataException("The image " + e.getMessage() + ".", e);
    }
  }

  /**
   * Reads an encoded image to the end of a stream, which is left open.
   *
   * @return as {@link #read(Path)}
   * @throws DataException if the stream cannot be read, or it is no image that can be used
   */
  public byte[] read(InputStream encoded) {
    try {
      return fit(ImageDecoder.content(encoded));
    } catch (ImageDecoder.UnusableException e) {
      throw new DataException("The image " + e.getMessage() + ".", e);
    }
  }

  /**
   * Takes a decoded image.
   *
   * @return as {@link #read(Path)} of a file with these levels
   * @throws DataException if its levels cannot be used
   */
  public byte[] read(BufferedImage image) {
    try {
      byte[] planes = new byte[3 * size * size];
      SquareDecoder.resize(ImageDecoder.toRgb(image), this::centre, size, planes, 0);
      return inChannels(planes);
    } catch (ImageDecoder.UnusableException e) {
      throw new DataException("The image " + e.getMessage() + ".", e);
    }
  }

  /** An image's height and width in pixels, as they are stored. */
  public record Size(int height, int width) {
    /** Their product. */
    public long pixels() {
      return (long) height * width;
    }
  }

  /**
   * Says by its header how large an encoded image is, before the memory for its pixels is taken.
   *
   * @throws DataException if it is no image that can be used
   */
  public static Size size(byte[] encoded) {
    if (ImageFormat.of(encoded) == null && ImageFormat.nameOfOther(encoded) == null) {
      throw new DataException("This is not an image: it is none of JPEG, PNG, GIF, BMP and TIFF.");
    }
    try {
      return ImageDecoder.size(encoded);
    } catch (ImageDecoder.UnusableException e) {
      throw new DataException("The image " + e.getMessage() + ".", e);
    }
  }

  private byte[] fit(byte[] encoded) throws ImageDecoder.UnusableException {
    byte[] planes = new byte[3 * size * size];
    SquareDecoder.decode(encoded, exif, this::centre, size, planes, 0);
    return inChannels(planes);
  }

  private SquareDecoder.Placement centre(int height, int width) {
    return new SquareDecoder.Placement(Crops.center(height, width, size, resize), false);
  }

  private byte[] inChannels(byte[] planes) {
    return channels == 3 ? planes : grey(planes);
  }

  private static byte[] grey(byte[] planes) {
    int count = planes.length / 3;
    byte[] grey = new byte[count];
    for (int i = 0; i < count; i++) {
      // In thousandths, so that equal levels give that level exactly.
      int sum = 299 * (planes[i] & 0xff) + 587 * (planes[count + i] & 0xff) + 114 * (planes[2 * count + i] & 0xff);
      grey[i] = (byte) ((sum + 500) / 1000);
    }
    return grey;
  }
}
