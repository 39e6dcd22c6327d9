package dev.layerwise.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.files.AtomicFiles;
import dev.layerwise.files.FileException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BackgroundFileTest {
  @TempDir private Path folder;

  private AtomicFiles.Unfinished begin(String name, String text) {
    return AtomicFiles.begin(folder.resolve(name), channel -> channel.write(ByteBuffer.wrap(text.getBytes())));
  }

  @Test
  void theOldFileIsThereUntilTheNewOneIsWhole() throws IOException {
    Path file = Files.writeString(folder.resolve("a"), "old");
    AtomicFiles.Unfinished begun = begin("a", "new");
    assertThat(file).hasContent("old");
    BackgroundFile background = new BackgroundFile();
    background.finish(begun);
    background.await();
    assertThat(file).hasContent("new");
    for (String text : new String[] {"one", "two", "three"}) {
      background.finish(begin("a", text));
    }
    background.await();
    assertThat(file).hasContent("three");
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).containsExactly(file);
    }
  }

  @Test
  void aFailureIsThrownOnceWhereTrainingAsks() throws IOException {
    BackgroundFile background = new BackgroundFile();
    AtomicFiles.Unfinished begun = begin("a", "text");
    Files.createDirectories(folder.resolve("a/in-the-way"));
    background.finish(begun);
    assertThatThrownBy(background::await)
        .isInstanceOf(FileException.class)
        .hasMessageStartingWith("Cannot write " + folder.resolve("a"));
    assertThatCode(background::requireNoFailure).doesNotThrowAnyException();
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).as("nothing is left over").containsExactly(folder.resolve("a"));
    }
    background.finish(begin("b", "text"));
    background.await();
    assertThat(folder.resolve("b")).hasContent("text");
  }

  @Test
  void whatIsDiscardedLeavesNothing() throws IOException {
    begin("a", "text").discard();
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).isEmpty();
    }
  }
}
