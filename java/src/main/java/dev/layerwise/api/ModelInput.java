package dev.layerwise.api;

import dev.layerwise.LayerwiseException;
import dev.layerwise.data.stream.ImageReader;
import dev.layerwise.model.InputDescription;
import dev.layerwise.model.ModelConfig;
import dev.layerwise.model.ModelException;
import java.awt.image.BufferedImage;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.List;

/** What images and classes a {@link Model} knows, and how images become its input. */
abstract sealed class ModelInput permits Model {
  final ModelConfig config;
  final InputDescription input;
  private final boolean exif;

  ModelInput(ModelConfig config, InputDescription input, boolean exif) {
    this.config = config;
    this.input = input;
    this.exif = exif;
  }

  /**
   * The classes.
   *
   * @return their names, in the order of the outputs
   */
  public List<String> classNames() {
    return input.classNames();
  }

  /**
   * Channels of an image.
   *
   * @return 1 (grey), 3 (red, green, blue) or another number
   */
  public int channels() {
    return config.images().channels();
  }

  /**
   * Height of an image.
   *
   * @return in pixels
   */
  public int height() {
    return config.images().height();
  }

  /**
   * Width of an image.
   *
   * @return in pixels
   */
  public int width() {
    return config.images().width();
  }

  /**
   * What the shorter side of an image file is made before a square is cut from its centre.
   *
   * @return in pixels, at least {@link #height}
   */
  public int resize() {
    return input.resize();
  }

  /** What reads image files as this model takes them: resized, cut to its input's size, in its channels. */
  private ImageReader reader() {
    if (height() != width()) {
      throw new ModelException(
          "the model takes images of " + height() + "×" + width()
              + " pixels; files are cut to squares only, give it pixels");
    }
    return new ImageReader(channels(), height(), input.resize(), exif);
  }

  /**
   * Reads a JPEG, PNG, GIF, BMP or TIFF file as the model takes it: turned as the camera's mark of orientation (EXIF)
   * says, unless {@link Model.Options#exif} is false, resized so that the shorter side has the length that the model was
   * tested with, its centre cut out, grey levels repeated for a model of colours, and colours weighted to grey
   * (ITU-R BT.601) for a model of grey images. Levels are not inverted: a model of white digits on black wants those.
   *
   * @param file the image
   * @return levels 0 to 255 in (C, H, W) order
   * @throws LayerwiseException if the file is no image that can be used
   */
  public byte[] read(Path file) {
    return reader().read(file);
  }

  /**
   * Reads an encoded image, as {@link #read(Path)} does a file.
   *
   * @param encoded the content of such a file
   * @return levels 0 to 255 in (C, H, W) order
   * @throws LayerwiseException if it is no image that can be used
   */
  public byte[] decode(byte[] encoded) {
    return reader().decode(encoded);
  }

  /**
   * Reads an encoded image to the end of a stream, as {@link #read(Path)} does a file.
   *
   * @param encoded the content of such a file, at most 256 MiB; left open
   * @return levels 0 to 255 in (C, H, W) order
   * @throws LayerwiseException if the stream cannot be read, or it is no image that can be used
   */
  public byte[] read(InputStream encoded) {
    return reader().read(encoded);
  }

  /**
   * Takes an image that is decoded already, resized and cut as {@link #read(Path)} does a file's. Levels are taken as they
   * are stored, without colour profiles or gamma, and transparency is dropped, so that an image that {@code ImageIO} has
   * read from a PNG file gives what the file gives. (Of JPEG files, {@code ImageIO} rounds levels in its own way, and it turns
   * no image.)
   *
   * @param image grey or RGB, of at most 16 bits a level, or with a palette
   * @return levels 0 to 255 in (C, H, W) order
   * @throws LayerwiseException if the image's colours are of another kind
   */
  public byte[] read(BufferedImage image) {
    return reader().read(image);
  }
}
