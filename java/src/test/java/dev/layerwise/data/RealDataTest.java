package dev.layerwise.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.layerwise.SharedFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The real data sets, where they are at hand. */
class RealDataTest {
  @Test
  void mnist() {
    DataSet<ImageSet> set = DataSets.load("mnist", SharedFolder.require("data/mnist"));
    assertComplete(set);
    assertThat(countPerClass(set.train())).containsExactly(
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949);
    PixelStatistics.of(set.train(), 0).assertAgree(set.info());
  }

  @Test
  void cifar100() throws IOException {
    Path folder = SharedFolder.require("data/cifar-100-binary");
    DataSet<ImageSet> set = DataSets.load("cifar-100", folder.getParent());
    assertComplete(set);
    assertThat(countPerClass(set.train())).containsOnly(500);
    assertThat(countPerClass(set.test())).containsOnly(100);
    PixelStatistics.of(set.train(), set.info().cropPadding()).assertAgree(set.info());
    assertThat(Files.readAllLines(folder.resolve("fine_label_names.txt")).stream().filter(name -> !name.isBlank()))
        .containsExactlyElementsOf(set.info().classNames());
  }

  @Test
  void digitsFromTheirFiles() {
    DataSet<ImageSet> files = DataSets.load("digits", SharedFolder.require("data/digits"));
    DataSet<ImageSet> embedded = DataSets.load("digits", null);
    assertThat(files.train().pixels()).isEqualTo(embedded.train().pixels());
    assertThat(files.test().labels()).isEqualTo(embedded.test().labels());
  }

  @Test
  void fashionMnistWhereInstalled() {
    assumeTrue(DataSets.locate("fashion-mnist", null).isPresent(), "needs apt-get install dataset-fashion-mnist");
    DataSet<ImageSet> set = DataSets.load("fashion-mnist", null);
    assertComplete(set);
    assertThat(countPerClass(set.train())).containsOnly(6000);
    PixelStatistics.of(set.train(), 0).assertAgree(set.info());
  }

  private static void assertComplete(DataSet<ImageSet> set) {
    assertThat(set.train().count()).isEqualTo(set.info().trainCount());
    assertThat(set.test().count()).isEqualTo(set.info().testCount());
  }

  private static int[] countPerClass(ImageSet images) {
    int[] counts = new int[images.classes()];
    for (int label : images.labels()) {
      counts[label]++;
    }
    return counts;
  }
}
