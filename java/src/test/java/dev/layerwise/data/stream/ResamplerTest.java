package dev.layerwise.data.stream;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.data.stream.Resampler.Box;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ResamplerTest {
  @Test
  void sameSizeIsTheSameImage() {
    RgbImage image = noise(9, 7);
    byte[] planes = new byte[3 * 5 * 5];
    Resampler.resize(image, new Box(2, 1, 5, 5), 5, false, planes, 0);
    byte[] mirrored = new byte[4 + 3 * 5 * 5];
    Resampler.resize(image, new Box(2, 1, 5, 5), 5, true, mirrored, 4);
    for (int channel = 0; channel < 3; channel++) {
      for (int y = 0; y < 5; y++) {
        for (int x = 0; x < 5; x++) {
          byte pixel = image.pixels()[3 * ((y + 2) * 7 + x + 1) + channel];
          assertThat(planes[(channel * 5 + y) * 5 + x]).isEqualTo(pixel);
          assertThat(mirrored[4 + (channel * 5 + y) * 5 + 4 - x]).isEqualTo(pixel);
        }
      }
    }
  }

  @Test
  void halfTheSizeWeighsFourPixelsEachWay() {
    // Reach 2 around the border between pixels 2 and 3: distances 1.5, 0.5, 0.5, 1.5 give weights 1, 3, 3, 1 of 8.
    byte[] row = {10, 20, 40, 80, 100, 60, 0, 8};
    byte[] pixels = new byte[3 * 64];
    for (int i = 0; i < 64; i++) {
      pixels[3 * i] = row[i % 8];
    }
    byte[] planes = new byte[3 * 16];
    Resampler.resize(new RgbImage(pixels, 8, 8), new Box(0, 0, 8, 8), 4, false, planes, 0);
    assertThat(planes[1]).isEqualTo((byte) Math.round((20 + 3 * 40 + 3 * 80 + 100) / 8.0));
    assertThat(planes[2]).isEqualTo((byte) Math.round((80 + 3 * 100 + 3 * 60 + 0) / 8.0));
    // At the edge the pixel that is not there is left out: weights 3, 3, 1 of 7.
    assertThat(planes[0]).isEqualTo((byte) Math.round((3 * 10 + 3 * 20 + 40) / 7.0));
  }

  @Test
  void twiceTheSizeIsBetweenTheNeighbours() {
    byte[] pixels = {0, 0, 0, 100, 0, 0, 0, 0, 0, 100, 0, 0};
    byte[] planes = new byte[3 * 16];
    Resampler.resize(new RgbImage(pixels, 2, 2), new Box(0, 0, 2, 2), 4, false, planes, 0);
    assertThat(planes).startsWith(0, 25, 75, 100, 0, 25, 75, 100);
  }

  @Test
  void plainColourStays() {
    byte[] pixels = new byte[3 * 37 * 53];
    Arrays.fill(pixels, (byte) 255);
    RgbImage image = new RgbImage(pixels, 37, 53);
    Random random = new Random(4);
    byte[] planes = new byte[3 * 16 * 16];
    for (int round = 0; round < 200; round++) {
      Resampler.resize(image, Crops.random(37, 53, 0.08, random), 16, random.nextBoolean(), planes, 0);
      assertThat(planes).containsOnly(255);
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.08, 0.5})
  void randomCropsAreInsideAndOfAllowedShape(double leastArea) {
    Random random = new Random(1);
    double smallest = 1;
    double largest = 0;
    for (int round = 0; round < 20_000; round++) {
      Box box = Crops.random(300, 400, leastArea, random);
      assertThat(box.top()).isBetween(0.0, 300 - box.height());
      assertThat(box.left()).isBetween(0.0, 400 - box.width());
      // Sides are rounded to whole pixels: half a pixel of at least 80 is under 1 %.
      assertThat(box.width() / box.height()).isBetween(0.75 * 0.98, 4 / 3.0 * 1.02);
      double area = box.width() * box.height() / (300 * 400);
      smallest = Math.min(smallest, area);
      largest = Math.max(largest, area);
    }
    assertThat(smallest).isBetween(leastArea - 0.002, leastArea + 0.005);
    assertThat(largest).isBetween(0.9, 1.0);
  }

  @Test
  void imagesTooLongForAnyRandomBox() {
    assertThat(Crops.random(1, 1000, 0.08, new Random(1))).isEqualTo(new Box(0, 499, 1, 1));
    assertThat(Crops.random(1000, 10, 0.08, new Random(1)).width()).isLessThanOrEqualTo(10);
    assertThat(Crops.random(1, 1, 0.08, new Random(1))).isEqualTo(new Box(0, 0, 1, 1));
  }

  @Test
  void centreOfATestImage() {
    assertThat(Crops.center(256, 512, 224, 256)).isEqualTo(new Box(16, 144, 224, 224));
    assertThat(Crops.center(1000, 500, 224, 256)).isEqualTo(new Box(281.25, 31.25, 437.5, 437.5));
  }

  private static RgbImage noise(int height, int width) {
    byte[] pixels = new byte[3 * height * width];
    new Random(3).nextBytes(pixels);
    return new RgbImage(pixels, height, width);
  }
}
