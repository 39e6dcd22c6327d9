package dev.layerwise.cli;

import dev.layerwise.data.DataSets;
import dev.layerwise.data.ImageSet;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;

/** The digits that come with the program, as image files. */
final class DigitImages {
  private DigitImages() {}

  /** The test digits. */
  static ImageSet test() {
    return DataSets.load("digits", null).test();
  }

  /** Writes the first test digits as grey PNG files, in the order of their names, which end in the label. */
  static Path write(Path folder, int count) throws IOException {
    ImageSet digits = test();
    Files.createDirectories(folder);
    for (int i = 0; i < count; i++) {
      BufferedImage image = new BufferedImage(8, 8, BufferedImage.TYPE_BYTE_GRAY);
      for (int pixel = 0; pixel < 64; pixel++) {
        image.getRaster().setSample(pixel % 8, pixel / 8, 0, digits.pixels().get(i * 64 + pixel) & 0xff);
      }
      ImageIO.write(image, "png", folder.resolve(String.format("%04d-%d.png", i, digits.labels()[i])).toFile());
    }
    return folder;
  }
}
