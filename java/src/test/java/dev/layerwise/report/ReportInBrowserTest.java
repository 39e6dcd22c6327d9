package dev.layerwise.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.layerwise.run.Evaluation;
import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Opens a page in headless Chromium. The pictures that it takes are left in target/report. */
class ReportInBrowserTest {
  private static final Optional<Path> CHROMIUM =
      Stream.of(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator))
          .flatMap(folder -> Stream.of("chromium", "chromium-browser", "google-chrome").map(Path.of(folder)::resolve))
          .filter(Files::isExecutable)
          .findFirst();

  /** Measures what is drawn; an error on the console shows that the test would see one. */
  private static final String PROBE =
      """
      <script>
        console.error('probe');
        const charts = [...document.querySelectorAll('svg[role=img]')];
        const drawn = charts.filter(chart => {
          const box = chart.getBoundingClientRect();
          const line = chart.querySelector('path').getBoundingClientRect();
          return box.width > 100 && box.height > 100 && line.width > 50 && line.height > 0;
        });
        const canvas = document.createElement('canvas').getContext('2d');
        const rgb = color => { // whatever space the color is written in
          canvas.fillStyle = color;
          canvas.fillRect(0, 0, 1, 1);
          return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
        };
        const luminance = color => {
          const [r, g, b] = rgb(color).map(c => c / 255)
            .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const contrast = (one, other) => {
          const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
          return (light + 0.05) / (dark + 0.05);
        };
        const paper = getComputedStyle(document.body).backgroundColor;
        const raised = getComputedStyle(document.querySelector('.panel')).backgroundColor;
        const least = (selector, property, on) => Math.min(...[...document.querySelectorAll(selector)]
          .map(element => contrast(getComputedStyle(element)[property], on)));
        // Distances in OKLab, https://bottosson.github.io/posts/oklab/, in which two colors at 0.02 are just told apart.
        const lab = color => {
          const [r, g, b] = rgb(color).map(c => c / 255)
            .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
          const [l, m, s] = [[.4122214708, .5363325363, .0514459929], [.2119034982, .6806995451, .1073969566],
            [.0883024619, .2817188376, .6299787005]].map(row => Math.cbrt(row[0] * r + row[1] * g + row[2] * b));
          return [[.2104542553, .7936177850, -.0040720468], [1.9779984951, -2.4285922050, .4505937099],
            [.0259040371, .7827717662, -.8086757660]].map(row => row[0] * l + row[1] * m + row[2] * s);
        };
        const layers = charts.map(chart => [...chart.querySelectorAll('.lines .step .line')]
          .map(line => lab(getComputedStyle(line).stroke)));
        const apart = Math.min(...layers.flatMap(colors => colors.flatMap((one, i) => colors.slice(0, i)
          .map(other => Math.hypot(...one.map((value, axis) => value - other[axis]))))));
        const marks = Math.min(...charts.map(chart => [...chart.querySelectorAll('.mark')]
          .map(mark => mark.getBoundingClientRect().top).sort((a, b) => a - b))
          .flatMap(tops => tops.slice(1).map((top, i) => top - tops[i])));
        const letters = [...document.querySelectorAll('.plot text')].map(text => text.getScreenCTM().a
          * parseFloat(getComputedStyle(text).fontSize));
        const panels = [...document.querySelector('.panels').children].map(panel => panel.getBoundingClientRect().top);
        const measured = {
          apart, marks, smallest: Math.min(...letters), largest: Math.max(...letters),
          row: panels.filter(top => top === panels[0]).length,
          cards: [...document.querySelectorAll('.overview td')].every(cell => cell.getBoundingClientRect().right <= innerWidth),
          paper: luminance(paper), charts: charts.length, drawn: drawn.length,
          images: [...document.images].filter(image => image.complete && image.naturalWidth > 0).length,
          overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
          text: least('p, th, caption, a, summary, h1, h2, h3', 'color', paper),
          chartText: least('.tick, .title', 'fill', raised),
          lines: least('[class^=run-] .line, .step .line', 'stroke', raised)
        };
        document.body.setAttribute('data-measured', JSON.stringify(measured));
      </script>
      </body>
      """;

  @TempDir private Path folder;
  private String html;

  @BeforeEach
  void writePage() {
    assumeTrue(
        CHROMIUM.isPresent(), "there is no Chromium on PATH; ci/setup installs it where the distribution has it");
    Path[] runs = new Path[2];
    for (int i = 0; i < runs.length; i++) {
      String preset = i == 0 ? "mnist-mlp-pred" : "mnist-mlp-predsim";
      runs[i] = RunFolders.write(folder.resolve(preset), RunFolders.config(preset), RunFolders.epochs(40, i == 0 ? 4 : 16));
      RunFolders.write(
          runs[i],
          new Evaluation(
              "mnist", List.of("zero", "one"), new int[][] {{9, 1}, {2, 8}},
              List.of(new Evaluation.Mistake(3, 0, 1, 0.9, RunFolders.PNG))));
    }
    html = ReportPage.of(List.of(runs), "test").html();
  }

  @Test
  void thePageOpensWithoutErrors() throws Exception {
    Path page = Files.writeString(folder.resolve("page.html"), html);
    Path pictures = Files.createDirectories(Path.of("target", "report"));
    for (int width : new int[] {1280, 600}) {
      Path picture = pictures.resolve("page-" + width + ".png").toAbsolutePath();
      Files.deleteIfExists(picture);
      String log = chromium(page, "--window-size=" + width + ",1500", "--screenshot=" + picture).err();
      assertThat(log).doesNotContain("CONSOLE");
      BufferedImage seen = ImageIO.read(picture.toFile());
      assertThat(seen.getWidth()).isEqualTo(width);
      assertThat(colors(seen)).as("colors in " + picture).isGreaterThan(50);
    }
  }

  @Test
  void chartsAreDrawn() throws Exception {
    for (boolean dark : new boolean[] {false, true}) {
      for (int width : new int[] {1280, 420}) {
        JsonNode measured = measure(width, dark);
        String where = measured + " at " + width + (dark ? ", dark" : "");
        // Five over epochs, three that compare layers, four of each run's layers.
        assertThat(measured.get("charts").asInt()).as(where).isEqualTo(5 + 3 + 2 * 4);
        assertThat(measured.get("drawn").asInt()).as(where).isEqualTo(16);
        assertThat(measured.get("images").asInt()).as(where).isEqualTo(1);
        assertThat(measured.get("row").asInt()).as(where).isEqualTo(width == 1280 ? 2 : 1);
        assertThat(measured.get("smallest").asDouble()).as(where).isEqualTo(12);
        assertThat(measured.get("largest").asDouble()).as(where).isEqualTo(12);
        assertThat(measured.get("marks").asDouble()).as(where).isGreaterThanOrEqualTo(11);
        assertThat(measured.get("apart").asDouble()).as(where).isGreaterThanOrEqualTo(0.025);
        assertThat(measured.get("cards").asBoolean()).as(where).isTrue();
        assertThat(measured.get("overflow").asInt()).as(where).isZero();
        assertThat(measured.get("paper").asDouble() < 0.5).as(where).isEqualTo(dark);
        // WCAG 2.2, levels AA: 1.4.3 for text, 1.4.11 for what is drawn.
        assertThat(measured.get("text").asDouble()).as(where).isGreaterThanOrEqualTo(4.5);
        assertThat(measured.get("chartText").asDouble()).as(where).isGreaterThanOrEqualTo(4.5);
        assertThat(measured.get("lines").asDouble()).as(where).isGreaterThanOrEqualTo(3);
      }
    }
  }

  private JsonNode measure(int width, boolean dark) throws Exception {
    String allowed = html.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'");
    String probed = allowed.replace("</body>", PROBE).replace("&", "&amp;").replace("\"", "&quot;");
    // In a frame, because windows are not as narrow as a telephone.
    String frame =
        "<iframe style=\"border:0;width:" + width + "px;height:1500px\" srcdoc=\"" + probed + "\"></iframe><script>"
            + "onload = () => document.body.setAttribute('data-measured',"
            + " document.querySelector('iframe').contentDocument.body.getAttribute('data-measured'))</script>";
    Path page = Files.writeString(folder.resolve("probe.html"), "<!DOCTYPE html><body>" + frame + "</body>");
    List<String> options = new ArrayList<>(List.of("--window-size=1400,1500", "--dump-dom"));
    if (dark) {
      options.add("--blink-settings=preferredColorScheme=0");
    }
    Output output = chromium(page, options.toArray(String[]::new));
    assertThat(output.err()).contains("CONSOLE").contains("probe");
    String attribute = "data-measured=\"";
    int from = output.out().indexOf(attribute);
    assertThat(from).as(output.out()).isPositive();
    int to = output.out().indexOf('"', from + attribute.length());
    String json = output.out().substring(from + attribute.length(), to).replace("&quot;", "\"");
    return new ObjectMapper().readTree(json);
  }

  private record Output(String out, String err) {}

  private Output chromium(Path page, String... options) throws IOException, InterruptedException {
    Path out = folder.resolve("out");
    Path err = folder.resolve("err");
    List<String> command =
        new ArrayList<>(
            List.of(
                CHROMIUM.orElseThrow().toString(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--enable-logging=stderr", "--user-data-dir=" + folder.resolve("profile")));
    command.addAll(List.of(options));
    command.add(page.toUri().toString());
    Process process = new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile()).start();
    try {
      assertThat(process.waitFor(120, TimeUnit.SECONDS)).as("Chromium ends").isTrue();
    } finally {
      process.destroyForcibly();
    }
    assertThat(process.exitValue()).as(Files.readString(err)).isZero();
    return new Output(Files.readString(out), Files.readString(err));
  }

  private static long colors(BufferedImage image) {
    return IntStream.range(0, image.getWidth() * image.getHeight())
        .map(i -> image.getRGB(i % image.getWidth(), i / image.getWidth()))
        .distinct()
        .count();
  }
}
