package dev.layerwise.benchmarks;

import dev.layerwise.data.stream.ImageReader;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import javax.imageio.ImageIO;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** Images per second that one core decodes and scales to 64×64, as `predict` and folders of images need it. */
@State(Scope.Thread)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 2)
@Fork(2)
public class DecodeImageBenchmark {
  private static final int SIZE = 64;

  @Param({"png", "jpg"})
  public String format;

  /** Of the encoded image, which is square. */
  @Param({"64", "256"})
  public int pixels;

  private byte[] encoded;
  private ImageReader reader;

  /** Smooth shades with some noise, as photographs have them. */
  @Setup(Level.Trial)
  public void encode() throws IOException {
    BufferedImage image = new BufferedImage(pixels, pixels, BufferedImage.TYPE_INT_RGB);
    Random noise = new Random(1);
    for (int y = 0; y < pixels; y++) {
      for (int x = 0; x < pixels; x++) {
        int shade = 200 * (x + y) / (2 * pixels) + noise.nextInt(16);
        image.setRGB(x, y, shade << 16 | shade / 2 << 8 | (255 - shade));
      }
    }
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    ImageIO.write(image, format, bytes);
    encoded = bytes.toByteArray();
    reader = new ImageReader(3, SIZE, SIZE, true);
  }

  @Benchmark
  public byte[] decode() {
    byte[] planes = reader.decode(encoded);
    if (planes.length != 3 * SIZE * SIZE) {
      throw new IllegalStateException("the image has " + planes.length + " bytes");
    }
    return planes;
  }
}
