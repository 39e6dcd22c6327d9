package dev.layerwise.data;

import static dev.layerwise.data.SyntheticFiles.gzip;
import static dev.layerwise.data.SyntheticFiles.write;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.files.UserFolders;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataSetLocatorTest {
  @TempDir
  Path temporary;

  @Test
  void namedFolderOrItsParent() {
    for (String sub : new String[] {"itself", "a/mnist", "b/MNIST/raw", "c/MNIST"}) {
      SyntheticFiles.writeMnist(temporary.resolve(sub));
    }
    assertFound("mnist", "itself", "itself");
    assertFound("mnist", "a", "a/mnist");
    assertFound("mnist", "b", "b/MNIST/raw");
    assertFound("mnist", "c", "c/MNIST");
  }

  @Test
  void namedSubfolderGoesBeforeTheFolderItself() {
    SyntheticFiles.writeMnist(temporary.resolve("data"));
    SyntheticFiles.writeMnist(temporary.resolve("data/fashion-mnist"));
    assertFound("fashion-mnist", "data", "data/fashion-mnist");
    assertFound("mnist", "data", "data");
  }

  @Test
  void kuzushijiMnistHasTheFileNamesOfMnist() {
    SyntheticFiles.writeMnist(temporary.resolve("a/KMNIST/raw"));
    assertFound("kuzushiji-mnist", "a", "a/KMNIST/raw");
    assertThat(DataSets.load("kuzushiji-mnist", temporary.resolve("a")).train().labels()).containsExactly(5, 0, 9);
    assertThat(DataSets.info("kuzushiji-mnist").cropPadding()).isZero();
  }

  @Test
  void usualPlacesInTheirOrder() {
    DataSetLocator locator = locator(Map.of("LAYERWISE_DATA", path("own"), "XDG_CACHE_HOME", path("cache"),
        "XDG_DATA_DIRS", path("opt/share") + ":" + path("usr/share")));
    String[] places = {"usr/share/datasets/fashion-mnist", "opt/share/datasets/fashion-mnist",
        "cache/layerwise/fashion-mnist", "work/data/fashion-mnist", "own/fashion-mnist"};
    for (String place : places) {
      SyntheticFiles.writeMnist(temporary.resolve(place));
      assertThat(locator.locate(Catalog.entry("fashion-mnist"), null, Part.ALL)).contains(temporary.resolve(place));
    }
  }

  @Test
  void downloadsGoToTheCache() {
    assertThat(locator(Map.of("XDG_CACHE_HOME", path("cache"))).cache()).isEqualTo(temporary.resolve("cache/layerwise"));
    assertThat(locator(Map.of()).cache()).isEqualTo(temporary.resolve("home/.cache/layerwise"));
  }

  @Test
  void cacheBelowHomeByDefault() {
    SyntheticFiles.writeMnist(temporary.resolve("home/.cache/layerwise/mnist"));
    assertThat(locator(Map.of("XDG_CACHE_HOME", "")).locate(Catalog.entry("mnist"), null, Part.ALL))
        .contains(temporary.resolve("home/.cache/layerwise/mnist"));
  }

  @Test
  void idxFilesWithoutANamedFolderAreNotTakenForADataSet() {
    // The four names are the same for MNIST and Fashion-MNIST: in a common folder they prove nothing.
    SyntheticFiles.writeMnist(temporary.resolve("work/data"));
    assertThat(locator(Map.of("XDG_DATA_DIRS", path("none"))).locate(Catalog.entry("mnist"), null, Part.ALL)).isEmpty();
  }

  @Test
  void archiveInAUsualPlace() {
    write(temporary.resolve("work/data/cifar-100-binary.tar.gz"), gzip(new byte[1024]));
    assertThat(locator(Map.of()).locate(Catalog.entry("cifar-100"), null, Part.ALL))
        .contains(temporary.resolve("work/data/cifar-100-binary.tar.gz"));
  }

  @Test
  void notFoundSaysWhatWhereAndWhatToDo() {
    assertThatThrownBy(() -> locator(Map.of("LAYERWISE_DATA", path("own"))).require(Catalog.entry("mnist"), null, Part.ALL))
        .isInstanceOf(DataException.class).message()
        .contains("MNIST was not found", SyntheticFiles.TRAIN_IMAGES, path("own"), path("work/data"),
            path("home/.cache/layerwise"), "/usr/share/datasets", "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "name its folder");
    assertThat(Catalog.entry("fashion-mnist").source()).contains("apt-get install dataset-fashion-mnist");
  }

  @Test
  void namedFolderIsTheOnlyOneLookedAt() {
    SyntheticFiles.writeMnist(temporary.resolve("work/data/mnist"));
    write(temporary.resolve("empty/readme"), new byte[1]);
    assertThatThrownBy(() -> locator(Map.of()).require(Catalog.entry("mnist"), temporary.resolve("empty"), Part.ALL))
        .isInstanceOf(DataException.class).message()
        .contains("MNIST was not found", path("empty")).doesNotContain(path("work"));
  }

  @Test
  void dataDirThatIsNoFolder() {
    write(temporary.resolve("file"), new byte[1]);
    assertThatThrownBy(() -> locator(Map.of()).require(Catalog.entry("mnist"), temporary.resolve("file"), Part.ALL))
        .hasMessage("The data folder " + path("file") + " is not a folder; give the folder that holds it.");
    assertThatThrownBy(() -> locator(Map.of()).require(Catalog.entry("mnist"), temporary.resolve("nothing"), Part.ALL))
        .hasMessage("The data folder " + path("nothing") + " is not there; check the path.");
  }

  private DataSetLocator locator(Map<String, String> environment) {
    Path home = temporary.resolve("home");
    if (!Files.exists(home)) {
      write(home.resolve(".profile"), new byte[1]);
    }
    UserFolders folders = new UserFolders(environment, home.toString(), temporary.resolve("tmp").toString());
    return new DataSetLocator(environment, folders.cache(), temporary.resolve("work"));
  }

  private String path(String below) {
    return temporary.resolve(below).toString();
  }

  private void assertFound(String name, String dataDir, String location) {
    assertThat(locator(Map.of()).locate(Catalog.entry(name), temporary.resolve(dataDir), Part.ALL))
        .contains(temporary.resolve(location));
  }
}
