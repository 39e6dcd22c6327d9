package dev.layerwise.data;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * The data sets that Layerwise knows. Means, deviations and augmentation are those of the published recipes
 * (Nøkland and Eidnes 2019, arXiv 1901.06656); those of "digits" were computed from its training images.
 */
final class Catalog {
  /**
   * A data set and where it is found.
   *
   * @param folders names of the folders that hold it, below a folder of data sets; "" is that folder itself, listed
   *     where the files' names alone say which data set they are
   * @param source how to get a copy, to follow a semicolon
   */
  record Entry(DataSetInfo info, DataSetLayout layout, List<String> folders, String source) {}

  private static final List<String> NUMERALS = List.of("0", "1", "2", "3", "4", "5", "6", "7", "8", "9");

  private static final List<String> FASHION_NAMES = List.of("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
      "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot");

  private static final List<String> CIFAR_10_NAMES = List.of("airplane", "automobile", "bird", "cat", "deer", "dog",
      "frog", "horse", "ship", "truck");

  private static final List<String> CIFAR_100_NAMES = Arrays.asList("""
      apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
      caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
      flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man
      maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree
      plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail
      snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout
      tulip turtle wardrobe whale willow_tree wolf woman worm""".split("\\s+"));

  private static final Map<String, Entry> ENTRIES = new LinkedHashMap<>();

  static {
    add(new Entry(
        new DataSetInfo("digits", "Optical Recognition of Handwritten Digits", 1, 8, 8, 1_437, 360, NUMERALS,
            new float[] {0.3054f}, new float[] {0.3753f}, 0, false, true),
        new IdxLayout(), List.of("digits"), "leave out --data-dir to use the copy that comes with Layerwise"));
    add(new Entry(
        new DataSetInfo("mnist", "MNIST", 1, 28, 28, 60_000, 10_000, NUMERALS,
            new float[] {0.1307f}, new float[] {0.3081f}, 2, false, false),
        new IdxLayout(), List.of("mnist", "MNIST/raw", "MNIST"),
        download("the four .gz files from https://ossci-datasets.s3.amazonaws.com/mnist/")));
    add(new Entry(
        new DataSetInfo("fashion-mnist", "Fashion-MNIST", 1, 28, 28, 60_000, 10_000, FASHION_NAMES,
            new float[] {0.286f}, new float[] {0.353f}, 2, true, false),
        new IdxLayout(), List.of("fashion-mnist", "FashionMNIST/raw", "FashionMNIST"),
        "on Debian and Ubuntu, apt-get install dataset-fashion-mnist; or " + download(
            "the four .gz files from http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/")));
    add(new Entry(
        new DataSetInfo("cifar-10", "CIFAR-10", 3, 32, 32, 50_000, 10_000, CIFAR_10_NAMES,
            new float[] {0.424f, 0.415f, 0.384f}, new float[] {0.283f, 0.278f, 0.284f}, 4, true, false),
        new CifarLayout(Stream.of(1, 2, 3, 4, 5).map(batch -> "data_batch_" + batch + ".bin").toList(),
            "test_batch.bin", "cifar-10-binary.tar.gz", 0),
        List.of("cifar-10-batches-bin", "cifar-10", "cifar-10/cifar-10-batches-bin", ""),
        download("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz")));
    add(new Entry(
        new DataSetInfo("cifar-100", "CIFAR-100", 3, 32, 32, 50_000, 10_000, CIFAR_100_NAMES,
            new float[] {0.438f, 0.418f, 0.377f}, new float[] {0.300f, 0.287f, 0.294f}, 4, true, false),
        new CifarLayout(List.of("train.bin"), "test.bin", "cifar-100-binary.tar.gz", 20),
        List.of("cifar-100-binary", "cifar-100", "cifar-100/cifar-100-binary", ""),
        download("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz")));
  }

  private Catalog() {}

  private static void add(Entry entry) {
    ENTRIES.put(entry.info().name(), entry);
  }

  private static String download(String what) {
    return "download " + what + " and pass its folder with --data-dir";
  }

  static List<String> names() {
    return List.copyOf(ENTRIES.keySet());
  }

  static Entry entry(String name) {
    Entry entry = ENTRIES.get(name);
    if (entry == null) {
      throw new DataException(
          "There is no data set named '" + name + "'; known are " + String.join(", ", ENTRIES.keySet()) + ".");
    }
    return entry;
  }
}
