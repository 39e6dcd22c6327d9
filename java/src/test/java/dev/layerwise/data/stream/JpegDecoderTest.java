package dev.layerwise.data.stream;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.layerwise.SharedFolder;
import dev.layerwise.data.stream.ImageDecoder.UnusableException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.spi.IIORegistry;
import javax.imageio.spi.ImageReaderSpi;
import javax.imageio.stream.ImageInputStream;
import org.junit.jupiter.api.Test;

/** The files' right pixels are those that PIL reads; {@link ImageDecoderTest} compares them all. */
class JpegDecoderTest {
  private static final Map<String, byte[]> CASES = TestImages.cases();

  @Test
  void pixelsOfTheSharedCases() throws IOException, UnusableException {
    Path folder = SharedFolder.require("cases/jpeg");
    List<Path> files;
    try (Stream<Path> entries = Files.list(folder)) {
      files = entries.filter(path -> !path.getFileName().toString().startsWith("expected_")).toList();
    }
    assertThat(files).hasSize(7);
    for (Path file : files) {
      String expected = "expected_" + file.getFileName().toString().replace('.', '_') + ".png";
      TestImages.assertSame(ImageDecoder.read(file, true), Files.readAllBytes(folder.resolve(expected)));
    }
  }

  @Test
  void orientationIsLeftAsideWhereItIsNotWanted() throws UnusableException {
    for (String name : new String[] {"exif-6-little.jpg", "exif-3-big.jpg"}) {
      TestImages.assertSame(ImageDecoder.decode(CASES.get(name), false), CASES.get("jfif-444.jpg.png"));
    }
  }

  @Test
  void turnedImageNeedsMemoryTwice() throws UnusableException {
    byte[] file = CASES.get("exif-6-little.jpg");
    int levels = 19 * 13 * 3;
    assertThat(ImageDecoder.decode(file, true, 2 * levels + file.length).height()).isEqualTo(19);
    assertThatThrownBy(() -> ImageDecoder.decode(file, true, 2 * levels + file.length - 1))
        .hasMessageContaining("too many for the Java heap");
    assertThat(ImageDecoder.decode(file, false, levels + file.length).height()).isEqualTo(13);
  }

  @Test
  void whatIsCutAnywhereIsFoundOut() {
    for (String name : new String[] {"jfif-444", "jfif-420-progressive", "jfif-420-restart", "grey", "cmyk-adobe-0",
        "exif-6-big"}) {
      byte[] whole = CASES.get(name + ".jpg");
      for (int length = 3; length < whole.length; length++) {
        byte[] cut = Arrays.copyOf(whole, length);
        assertThatThrownBy(() -> ImageDecoder.decode(cut, true)).as(name + " cut to " + length)
            .isInstanceOf(UnusableException.class).message().startsWith("is damaged");
      }
    }
  }

  private static Stream<Map.Entry<String, byte[]>> jpegs() {
    return CASES.entrySet().stream().filter(entry -> entry.getKey().endsWith(".jpg"));
  }

  private static void requireNativeDecoder() {
    assumeThat(JpegDecoder.nativeProblem()).as("without libjpeg-turbo, Java decodes").isEmpty();
  }

  @Test
  void javaDecodesToTheSameLevels() throws IOException, UnusableException {
    requireNativeDecoder();
    for (Map.Entry<String, byte[]> jpeg : jpegs().toList()) {
      byte[] byJava = JpegDecoder.decodeByJava(jpeg.getValue(), JpegHeader.parse(jpeg.getValue()));
      assertThat(ImageDecoder.decode(jpeg.getValue(), false).pixels()).as(jpeg.getKey()).isEqualTo(byJava);
    }
  }

  @Test
  void aSquareIsDecodedAsTheWholeImageIsAndThenResized() throws UnusableException {
    for (Map.Entry<String, byte[]> jpeg : jpegs().toList()) {
      for (boolean exif : new boolean[] {false, true}) {
        RgbImage image = ImageDecoder.decode(jpeg.getValue(), exif);
        Resampler.Box box = Crops.center(image.height(), image.width(), 7, 8);
        byte[] expected = new byte[3 * 7 * 7 + 5];
        Resampler.resize(image, box, 7, true, expected, 5);
        byte[] square = new byte[expected.length];
        SquareDecoder.decode(
            jpeg.getValue(), exif,
            (height, width) -> {
              assertThat(new int[] {height, width}).containsExactly(image.height(), image.width());
              return new SquareDecoder.Placement(box, true);
            },
            7, square, 5);
        assertThat(square).as(jpeg.getKey()).isEqualTo(expected);
      }
    }
  }

  @Test
  void damageThatJavaFindsIsFound() {
    requireNativeDecoder();
    Random random = new Random(1);
    for (Map.Entry<String, byte[]> jpeg : jpegs().toList()) {
      for (int round = 0; round < 100; round++) {
        byte[] damaged = jpeg.getValue().clone();
        damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(256);
        byte[] expected = orNull(() -> JpegDecoder.decodeByJava(damaged, JpegHeader.parse(damaged)));
        byte[] found = orNull(() -> ImageDecoder.decode(damaged, false).pixels());
        assertThat(found).as(jpeg.getKey() + ", round " + round).isEqualTo(expected);
      }
    }
  }

  private static byte[] orNull(Callable<byte[]> decoding) {
    try {
      return decoding.call();
    } catch (Exception e) { // Java's decoder throws many kinds
      return null;
    }
  }

  @Test
  void kindsThatAreNotRead() {
    byte[] twelveBits = CASES.get("jfif-444.jpg").clone();
    twelveBits[frame(twelveBits) + 4] = 12;
    assertUnusable(twelveBits, "is a JPEG file with levels of 12 bits; only 8 are read");
    byte[] lossless = CASES.get("jfif-444.jpg").clone();
    lossless[frame(lossless) + 1] = (byte) 0xc3;
    assertUnusable(lossless, "is damaged or of a kind that is not read: Unsupported JPEG process: SOF type 0xc3");
    byte[] twoComponents = CASES.get("jfif-444.jpg").clone();
    twoComponents[frame(twoComponents) + 9] = 2;
    assertUnusable(twoComponents, "is a JPEG file of 2 components, where 1, 3 or 4 are read");
    byte[] noHeight = CASES.get("jfif-444.jpg").clone();
    noHeight[frame(noHeight) + 6] = 0;
    assertUnusable(noHeight, "is damaged: its header does not say how large the image is");
    byte[] large = CASES.get("jfif-444.jpg").clone();
    Arrays.fill(large, frame(large) + 5, frame(large) + 9, (byte) 0xff);
    assertUnusable(large, "has more than 100000000 pixels");
  }

  @Test
  void readersOfOthersAreNotAsked() throws UnusableException {
    ImageReaderSpi greedy = new GreedyReaderSpi();
    IIORegistry registry = IIORegistry.getDefaultInstance();
    registry.registerServiceProvider(greedy, ImageReaderSpi.class);
    registry.getServiceProviders(ImageReaderSpi.class, false).forEachRemaining(other -> {
      if (other != greedy) {
        registry.setOrdering(ImageReaderSpi.class, greedy, other);
      }
    });
    RgbImage decoded;
    try {
      assertThatThrownBy(() -> ImageIO.read(new ByteArrayInputStream(CASES.get("jfif-444.jpg"))))
          .isInstanceOf(IllegalStateException.class).hasMessage("another's reader");
      decoded = ImageDecoder.decode(CASES.get("jfif-444.jpg"), true);
    } finally {
      registry.deregisterServiceProvider(greedy, ImageReaderSpi.class);
    }
    TestImages.assertSame(decoded, CASES.get("jfif-444.jpg.png"));
  }

  /** A plugin that takes JPEG files before Java does, and then fails. */
  private static final class GreedyReaderSpi extends ImageReaderSpi {
    GreedyReaderSpi() {
      super("another", "1", new String[] {"jpeg", "JPEG"}, new String[] {"jpg"}, new String[] {"image/jpeg"}, "another",
          new Class<?>[] {ImageInputStream.class}, null, false, null, null, null, null, false, null, null, null, null);
    }

    @Override
    public boolean canDecodeInput(Object source) {
      return true;
    }

    @Override
    public ImageReader createReaderInstance(Object extension) {
      throw new IllegalStateException("another's reader");
    }

    @Override
    public String getDescription(Locale locale) {
      return "another";
    }
  }

  /** Where the frame's header begins. */
  private static int frame(byte[] jpeg) {
    int at = 2;
    while ((jpeg[at + 1] & 0xff) != 0xc0) {
      at += 2 + ((jpeg[at + 2] & 0xff) << 8 | jpeg[at + 3] & 0xff);
    }
    return at;
  }

  private static void assertUnusable(byte[] file, String reason) {
    assertThatThrownBy(() -> ImageDecoder.decode(file, true)).isInstanceOf(UnusableException.class).hasMessage(reason);
  }
}
