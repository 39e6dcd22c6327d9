package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.layerwise.run.EpochReport.BlockReport;
import dev.layerwise.train.EpochProgress;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProgressLineTest {
  private static final EpochProgress HALF =
      new EpochProgress(
          3, 30, 500, 1000, 0.12345, 3.25,
          List.of(
              new BlockReport("a", 0.5, 0.25, null, 10.04, null, null), new BlockReport("b", 0.125, 0.0625, null, 4.5, null, null)));

  @TempDir private Path folder;
  private final StringWriter err = new StringWriter();
  private final ProgressLine line = new ProgressLine(new PrintWriter(err), () -> 80);

  @Test
  void showsMoreWhereThereIsMoreRoom() {
    assertThat(at(180))
        .matches("epoch 3/30  [█#]{10}[░.]{10}  50 %  250 images/s  0:02 left, 1:50 in all epochs  loss 0\\.1235 error 3\\.25 %"
            + "  local 10\\.0 % 4\\.5 %  sim 0\\.5000 0\\.1250  pred 0\\.2500 0\\.0625");
    assertThat(at(99))
        .matches("epoch 3/30  [█#]+[░.]+  50 %  250 images/s  0:02 left, 1:50 in all epochs  loss 0\\.1235 error 3\\.25 %");
    assertThat(at(48)).matches("epoch 3/30  [█#]+[░.]+  50 %  250 images/s  0:02 left");
    assertThat(at(20)).isEqualTo("epoch 3/30  50 %");
    assertThat(at(7)).isEqualTo("epoch 3");
    assertThat(at(0)).isEmpty();
    for (int room = 0; room < 200; room++) {
      assertThat(at(room).length()).isLessThanOrEqualTo(room);
    }
  }

  private String at(int room) {
    return line.line(HALF, 250, room);
  }

  @Test
  void whatIsNotKnownIsLeftOut() {
    EpochProgress start =
        new EpochProgress(
            1, 2, 0, 1000, Double.NaN, Double.NaN, List.of(new BlockReport("a", Double.NaN, null, null, null, null, null)));
    assertThat(line.line(start, Double.NaN, 200)).matches("epoch 1/2  [░.]{20}  0 %");
    EpochProgress end = new EpochProgress(1, 2, 1000, 1000, 1, 50, List.of());
    assertThat(line.line(end, 100, 200)).matches("epoch 1/2  [█#]{20}  100 %  testing  loss 1\\.0000 error 50\\.00 %");
    EpochProgress slow = new EpochProgress(1, 2, 10, 1000, 1, 50, List.of());
    assertThat(line.line(slow, 0.1, 200)).contains("0 images/s  2:45:00 left");
  }

  @Test
  void onlyWhatWasShownIsTakenAway() {
    line.clear();
    assertThat(err.toString()).isEmpty();
    line.show(HALF);
    assertThat(err.toString()).startsWith("\r\u001b[Kepoch 3/30");
    line.clear();
    assertThat(err.toString()).endsWith("%\r\u001b[K");
  }

  @Test
  void aLineThatANarrowerTerminalHasWrappedIsTakenAwayAsAWhole() throws Exception {
    int[] columns = {80};
    ProgressLine resized = new ProgressLine(new PrintWriter(err), () -> columns[0]);
    resized.show(HALF);
    int length = err.toString().length() - "\r\u001b[K".length();
    columns[0] = 30;
    new ProcessBuilder("kill", "-WINCH", Long.toString(ProcessHandle.current().pid())).start().waitFor();
    int rowsAbove = (length - 1) / 30;
    assertThat(rowsAbove).isPositive();
    await(() -> {
      int before = err.toString().length();
      resized.show(HALF);
      return err.toString().substring(before).startsWith("\r\u001b[" + rowsAbove + "A\u001b[J");
    });
    assertThat(err.toString().substring(err.toString().lastIndexOf('J') + 1).length()).isLessThan(30);
  }

  /** A signal's handler runs on a thread of its own. */
  private static void await(BooleanSupplier condition) throws InterruptedException {
    for (int tries = 0; !condition.getAsBoolean(); tries++) {
      assertThat(tries).isLessThan(200);
      Thread.sleep(50);
    }
  }

  @Test
  void onATerminalOnly() throws Exception {
    assumeTrue(Files.isExecutable(Path.of("/usr/bin/script")), "needs the program script, which makes a terminal");
    String shown = inTerminal("TERM=xterm NO_COLOR=1", "");
    assertThat(shown).contains("\r\u001b[Kepoch 1/2").contains("epoch 2/2  lr").doesNotContain("\u001b[3");
    shown.lines().flatMap(text -> List.of(text.split("\r")).stream()).filter(text -> text.contains("images/s  "))
        .forEach(text -> assertThat(text.replace("\u001b[K", "").length()).isLessThan(60));
    assertThat(inTerminal("TERM=dumb", "")).contains("epoch 2/2  lr").doesNotContain("\u001b");
    assertThat(inTerminal("TERM=xterm", "--json")).contains("\"epoch\":2").doesNotContain("\u001b");
    assertThat(inTerminal("TERM=xterm", "2> " + folder.resolve("err"))).doesNotContain("\u001b");
    assertThat(Files.readString(folder.resolve("err"))).contains("the model is in").doesNotContain("\u001b");
  }

  private String inTerminal(String environment, String more) throws IOException, InterruptedException {
    Path run = Files.createTempDirectory(folder, "run");
    String train =
        JavaProcess.command("train", "--epochs", 2, "--num-layers", 1, "--num-hidden", 16, "--threads", 1, "--out", run)
            .stream().map(word -> "'" + word + "'").collect(Collectors.joining(" "));
    String command = "stty cols 60; " + environment + " " + train + " " + more;
    Process process = new ProcessBuilder("script", "-qec", command, "/dev/null").redirectErrorStream(true).start();
    process.getOutputStream().close();
    String shown = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(shown).isZero();
    return shown;
  }
}
