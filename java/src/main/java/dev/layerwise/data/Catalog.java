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
   * @param download where it comes from
   */
  record Entry(DataSetInfo info, DataSetLayout layout, List<String> folders, Download download) {
    /** How to get a copy, to follow a semicolon. */
    String source() {
      if (info.embedded()) {
        return "name no folder to use the copy that comes with Layerwise";
      }
      return "run 'layerwise data fetch " + info.name() + "', or download " + download.describe()
          + " and name its folder" + download.hint();
    }
  }

  private static final List<String> NUMERALS = List.of("0", "1", "2", "3", "4", "5", "6", "7", "8", "9");

  private static final List<String> FASHION_NAMES = List.of("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
      "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot");

  /** One hiragana for each row of the kana table, romanised. */
  private static final List<String> KUZUSHIJI_NAMES =
      List.of("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo");

  private static final List<String> STL_10_NAMES = List.of("airplane", "bird", "car", "cat", "deer", "dog", "horse",
      "monkey", "ship", "truck");

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
        new IdxLayout(), List.of("digits"), Download.NONE));
    add(new Entry(
        new DataSetInfo("mnist", "MNIST", 1, 28, 28, 60_000, 10_000, NUMERALS,
            new float[] {0.1307f}, new float[] {0.3081f}, 2, false, false),
        new IdxLayout(), List.of("mnist", "MNIST/raw", "MNIST"),
        Download.ofIdx("https://ossci-datasets.s3.amazonaws.com/mnist/", "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432", "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c")));
    add(new Entry(
        new DataSetInfo("fashion-mnist", "Fashion-MNIST", 1, 28, 28, 60_000, 10_000, FASHION_NAMES,
            new float[] {0.286f}, new float[] {0.353f}, 2, true, false),
        new IdxLayout(), List.of("fashion-mnist", "FashionMNIST/raw", "FashionMNIST"),
        Download.ofIdx("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe",
                "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310")
            .withHint("; Debian and Ubuntu have it, too: apt-get install dataset-fashion-mnist")));
    add(new Entry(
        new DataSetInfo("kuzushiji-mnist", "Kuzushiji-MNIST", 1, 28, 28, 60_000, 10_000, KUZUSHIJI_NAMES,
            new float[] {0.1904f}, new float[] {0.3475f}, 0, false, false),
        new IdxLayout(), List.of("kuzushiji-mnist", "KMNIST/raw", "KMNIST"),
        Download.ofIdx("http://codh.rois.ac.jp/kmnist/dataset/kmnist/", "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344", "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134")));
    add(new Entry(
        new DataSetInfo("cifar-10", "CIFAR-10", 3, 32, 32, 50_000, 10_000, CIFAR_10_NAMES,
            new float[] {0.424f, 0.415f, 0.384f}, new float[] {0.283f, 0.278f, 0.284f}, 4, true, false),
        new CifarLayout(Stream.of(1, 2, 3, 4, 5).map(batch -> "data_batch_" + batch + ".bin").toList(),
            "test_batch.bin", "cifar-10-binary.tar.gz", 0),
        List.of("cifar-10-batches-bin", "cifar-10", "cifar-10/cifar-10-batches-bin", ""),
        Download.ofArchive("https://www.cs.toronto.edu/~kriz/", "cifar-10-binary.tar.gz",
            "c32a1d4ab5d03f1284b67883e8d87530")));
    add(new Entry(
        new DataSetInfo("cifar-100", "CIFAR-100", 3, 32, 32, 50_000, 10_000, CIFAR_100_NAMES,
            new float[] {0.438f, 0.418f, 0.377f}, new float[] {0.300f, 0.287f, 0.294f}, 4, true, false),
        new CifarLayout(List.of("train.bin"), "test.bin", "cifar-100-binary.tar.gz", 20),
        List.of("cifar-100-binary", "cifar-100", "cifar-100/cifar-100-binary", ""),
        Download.ofArchive("https://www.cs.toronto.edu/~kriz/", "cifar-100-binary.tar.gz",
            "03b5dce01913d631647c71ecec9e9cb8")));
    add(new Entry(
        new DataSetInfo("svhn", "SVHN", 3, 32, 32, 604_388, 26_032, NUMERALS,
            new float[] {0.431f, 0.430f, 0.446f}, new float[] {0.197f, 0.198f, 0.199f}, 0, false, false),
        new SvhnLayout(), List.of("svhn", "SVHN", ""),
        Download.ofFiles("http://ufldl.stanford.edu/housenumbers/",
            Download.file("train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
            Download.file("test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
            Download.file("extra_32x32.mat", "a93ce644f1a588dc4d68dda5feec44a7"))));
    add(new Entry(
        new DataSetInfo("stl-10", "STL-10", 3, 96, 96, 5_000, 8_000, STL_10_NAMES,
            new float[] {0.447f, 0.440f, 0.407f}, new float[] {0.260f, 0.257f, 0.271f}, 0, false, false),
        new Stl10Layout(), List.of("stl10_binary", "stl-10", "stl-10/stl10_binary", ""),
        Download.ofArchive("http://ai.stanford.edu/~acoates/stl10/", "stl10_binary.tar.gz",
            "91f7769df0f17e558f3565bffb0c7dfb")));
  }

  private Catalog() {}

  private static void add(Entry entry) {
    ENTRIES.put(entry.info().name(), entry);
  }

  static List<String> names() {
    return List.copyOf(ENTRIES.keySet());
  }

  static Entry entry(String name) {
    Entry entry = ENTRIES.get(name);
    if (entry == null) {
      throw new DataException(
          "Unknown data set '" + name + "'; choose from " + String.join(", ", ENTRIES.keySet()) + ".");
    }
    return entry;
  }
}
