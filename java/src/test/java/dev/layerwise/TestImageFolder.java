package dev.layerwise;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import javax.imageio.ImageIO;

/** Folders of images to train on. */
public final class TestImageFolder {
  private TestImageFolder() {}

  /** 24 red and 24 blue images of different sizes to train on and as many to test, and one training image is broken. */
  public static Path redAndBlue(Path folder) throws IOException {
    Random random = new Random(1);
    for (String part : new String[] {"train", "val"}) {
      for (String color : new String[] {"blue", "red"}) {
        Path target = Files.createDirectories(folder.resolve(part).resolve(color));
        for (int i = 0; i < 24; i++) {
          BufferedImage image =
              new BufferedImage(20 + random.nextInt(30), 20 + random.nextInt(30), BufferedImage.TYPE_INT_RGB);
          Graphics2D graphics = image.createGraphics();
          int shade = 100 + random.nextInt(156);
          graphics.setColor(color.equals("red") ? new Color(shade, 20, 20) : new Color(20, 20, shade));
          graphics.fillRect(0, 0, 50, 50);
          graphics.dispose();
          ImageIO.write(image, "png", target.resolve(i + ".png").toFile());
        }
      }
    }
    Files.writeString(folder.resolve("train/red/broken.png"), "no image");
    return folder;
  }
}
