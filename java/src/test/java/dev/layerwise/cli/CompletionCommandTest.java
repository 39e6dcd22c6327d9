package dev.layerwise.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CompletionCommandTest {
  @TempDir private Path folder;

  /** What bash shows when Tab is pressed at the end of a line, until what is expected is there. */
  private String shown(String line, String expected) throws IOException, InterruptedException {
    assumeTrue(Files.isExecutable(Path.of("/usr/bin/script")), "needs the program script, which makes a terminal");
    CommandLineRunner completion = CommandLineRunner.run("completion", "bash");
    assertThat(completion.exitCode()).as(completion.err()).isZero();
    Path script = Files.writeString(folder.resolve("completion.bash"), completion.out());
    Path startup = Files.writeString(
        folder.resolve("startup"),
        "PS1='> '\nbind 'set show-all-if-ambiguous on'\nbind 'set bell-style none'\nbind 'set completion-query-items 0'\n"
            + "bind 'set page-completions off'\nbind 'set enable-bracketed-paste off'\nsource " + script + "\n");
    // script makes a terminal, in which bash reads lines.
    Process terminal =
        new ProcessBuilder("script", "--quiet", "--command", "bash --noprofile --rcfile " + startup + " -i", "/dev/null")
            .redirectErrorStream(true).start();
    try {
      terminal.getOutputStream().write((line + "\t").getBytes(StandardCharsets.UTF_8));
      terminal.getOutputStream().flush();
      ByteArrayOutputStream shown = new ByteArrayOutputStream();
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
      while (System.nanoTime() < deadline && !shown.toString(StandardCharsets.UTF_8).contains(expected)) {
        Thread.sleep(100);
        shown.write(terminal.getInputStream().readNBytes(terminal.getInputStream().available()));
      }
      return shown.toString(StandardCharsets.UTF_8);
    } finally {
      terminal.destroyForcibly(); // with its end of the terminal, bash ends as well
    }
  }

  @ParameterizedTest
  @CsvSource({
    "layerwise train --dataset cifar,            cifar-100, sgd",
    "'layerwise train --loss ',                  predsim,   bio-",
    "layerwise train --model vgg,                vgg8b,     mlp",
    "'layerwise train --optim ',                 adamw,     cifar",
    "layerwise train --preset mnist-mlp-predsim, mnist-mlp-predsim-fast, cifar",
    "./layerwise evaluate --dataset cifar,       cifar-10,  sgd",
    "layerwise comp,                             completion, predict"
  })
  void tabOffersTheOptionsOwnValues(String line, String offered, String not) throws Exception {
    assertThat(shown(line, offered)).contains(offered).doesNotContain(not);
  }

  @Test
  void otherShellsAreNamed() {
    assertThat(CommandLineRunner.run("completion", "zsh").out()).contains("bashcompinit", "complete -F");
    CommandLineRunner fish = CommandLineRunner.run("completion", "fish");
    assertThat(fish.exitCode()).isEqualTo(2);
    assertThat(fish.err()).contains("fish", "bash, zsh");
    assertThat(CommandLineRunner.run("completion").exitCode()).isEqualTo(2);
  }
}
