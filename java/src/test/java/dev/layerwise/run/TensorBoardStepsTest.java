package dev.layerwise.run;

import static org.assertj.core.api.Assertions.assertThat;

import dev.layerwise.nativelib.BlockMetrics;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TensorBoardStepsTest {
  @TempDir private Path folder;

  @Test
  void aPointWaitsForFiftyStepsAndForTime() {
    TensorBoardSteps steps = TensorBoardSteps.begin(folder, Progress.start(2));
    long now = System.nanoTime();
    assertThat(steps.isDue(49, now)).isFalse();
    assertThat(steps.isDue(50, now)).isTrue();
    BlockMetrics sums = new BlockMetrics(0, 3, 0, 1, 4);
    steps.add(Progress.start(2).later(4, 50, 1, List.of(sums, sums)), 1e-3);
    long then = System.nanoTime();
    assertThat(steps.isDue(1000, now)).as("the device has just been waited for").isFalse();
    assertThat(steps.isDue(99, then + 200_000_000)).isFalse();
    assertThat(steps.isDue(100, then + 200_000_000)).isTrue();
  }

  @Test
  void sessionsOfTheSameSecondHaveFilesOfTheirOwn() {
    TensorBoardSteps.begin(folder, Progress.start(2));
    TensorBoardSteps.begin(folder, Progress.start(2));
    assertThat(TensorBoardLog.filesIn(folder.resolve("steps"))).hasSize(2);
  }
}
