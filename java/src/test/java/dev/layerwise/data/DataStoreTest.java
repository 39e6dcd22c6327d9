package dev.layerwise.data;

import static dev.layerwise.data.SyntheticFiles.cifar;
import static dev.layerwise.data.SyntheticFiles.gzip;
import static dev.layerwise.data.SyntheticFiles.idxImages;
import static dev.layerwise.data.SyntheticFiles.idxLabels;
import static dev.layerwise.data.SyntheticFiles.tar;
import static dev.layerwise.data.SyntheticFiles.write;
import static dev.layerwise.data.download.FaultyServer.md5;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.data.Download.RemoteFile;
import dev.layerwise.data.Verification.Evidence;
import dev.layerwise.data.download.DownloadException;
import dev.layerwise.data.download.DownloadListener;
import dev.layerwise.data.download.DownloadSettings;
import dev.layerwise.data.download.Downloader;
import dev.layerwise.data.download.FaultyServer;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class DataStoreTest {
  private static final DownloadSettings QUICK = new DownloadSettings(Duration.ofSeconds(10), Duration.ofSeconds(5), 2,
      Duration.ofMillis(5), Duration.ofMillis(20));
  private static final String ARCHIVE = "cifar-100-binary.tar.gz";

  @TempDir
  Path root;

  private final FaultyServer server = new FaultyServer();
  private final List<String> notices = new ArrayList<>();
  private final DownloadListener listener = new DownloadListener() {
    @Override
    public void received(String file, long received, long total) {}

    @Override
    public void notice(String sentence) {
      notices.add(sentence);
    }
  };

  @AfterEach
  void stopServer() {
    server.close();
  }

  @Test
  void looseFiles() {
    Catalog.Entry entry = mnist(Map.of());
    assertThat(store().fetch(entry, null, listener)).isEqualTo(root.resolve("mnist"));
    assertThat(root.toFile().list()).containsExactly("mnist");
    assertThat(DataSets.locate("mnist", root)).contains(root.resolve("mnist"));
    assertThat(DataSets.load("mnist", root).train().labels()).containsExactly(5, 0, 9);
    assertThat(DataVerifier.verify(entry, root.resolve("mnist")).evidence()).isEqualTo(Evidence.PUBLISHED_CHECKSUMS);
  }

  @Test
  void wholeCopyIsLeftAlone() {
    Catalog.Entry entry = mnist(Map.of());
    store().fetch(entry, null, listener);
    store().fetch(entry, null, listener);
    assertThat(server.requests()).hasSize(4);
  }

  @Test
  void damagedFileIsReplacedAndTheOthersKept() throws IOException {
    Catalog.Entry entry = mnist(Map.of());
    store().fetch(entry, null, listener);
    Path damaged = root.resolve("mnist/train-labels-idx1-ubyte.gz");
    Files.write(damaged, new byte[] {1, 2, 3});
    Files.writeString(root.resolve("mnist/notes"), "the user's own");
    store().fetch(entry, null, listener);
    assertThat(DataVerifier.matches(damaged, entry.download().files().get(1))).isTrue();
    assertThat(root.resolve("mnist/notes")).hasContent("the user's own");
    assertThat(server.requests()).hasSize(5);
    assertThat(root.toFile().list()).containsExactly("mnist");
  }

  @Test
  void nothingIsInstalledBeforeEverythingIsThere() {
    Catalog.Entry entry = mnist(Map.of());
    server.first(FaultyServer.status(302, "Location", "/mnist/train-images-idx3-ubyte.gz"))
        .first((exchange, file) -> exchange.sendResponseHeaders(404, -1));
    assertThatThrownBy(() -> store().fetch(entry, null, listener)).isInstanceOf(DownloadException.class);
    assertThat(root.resolve("mnist")).doesNotExist();
    assertThat(DataSets.locate("mnist", root)).isEmpty();
    store().fetch(entry, null, listener);
    assertThat(DataSets.locate("mnist", root)).isPresent();
  }

  @Test
  void filesOfAnInterruptedFetchAreNotDownloadedAgain() {
    Catalog.Entry entry = mnist(Map.of("t10k-labels-idx1-ubyte.gz", "0".repeat(32)));
    assertThatThrownBy(() -> store().fetch(entry, null, listener)).isInstanceOf(DownloadException.class)
        .hasMessageContaining("t10k-labels-idx1-ubyte.gz was changed or damaged on its way");
    store().fetch(mnist(Map.of()), null, listener);
    assertThat(server.requests()).hasSize(5);
  }

  @Test
  void mirror() {
    Catalog.Entry entry = mnist(Map.of());
    for (RemoteFile file : entry.download().files()) {
      server.serve("copy/of/it/" + file.name(), mnistFiles().get(file.name()));
    }
    store().fetch(entry, server.uri("copy/of/it"), listener);
    assertThat(server.requests()).hasSize(4).allMatch(request -> request.path().startsWith("/copy/of/it/t"));
  }

  @Test
  void archiveIsUnpackedAndItsFilesRemembered() throws IOException {
    Catalog.Entry entry = cifarArchive(archiveFiles());
    Path target = store().fetch(entry, null, listener);
    assertThat(target.resolve("cifar-100-binary").toFile().list()).containsExactlyInAnyOrder("train.bin", "test.bin");
    assertThat(target.toFile().list()).containsExactlyInAnyOrder("cifar-100-binary", "checksums.md5");
    assertThat(DataSets.load("cifar-100", root).train().labels()).containsExactly(42, 99);
    assertThat(new DataStore(root).verify("cifar-100").evidence()).isEqualTo(Evidence.INSTALLED_CHECKSUMS);
    byte[] train = Files.readAllBytes(target.resolve("cifar-100-binary/train.bin"));
    train[1000] ^= 1;
    Files.write(target.resolve("cifar-100-binary/train.bin"), train);
    assertThatThrownBy(() -> new DataStore(root).verify("cifar-100")).isInstanceOf(DataException.class).message()
        .contains("train.bin is not what was installed", "fetch");
    store().fetch(entry, null, listener);
    assertThat(notices).singleElement().asString().contains("train.bin is not what was installed");
    assertThat(new DataStore(root).verify("cifar-100").evidence()).isEqualTo(Evidence.INSTALLED_CHECKSUMS);
  }

  @Test
  void archiveThatLeadsOutOfItsFolder() {
    Map<String, byte[]> files = archiveFiles();
    files.put("../../evil", new byte[] {1});
    assertThatThrownBy(() -> store().fetch(cifarArchive(files), null, listener))
        .isInstanceOf(DownloadException.class).message().contains(ARCHIVE, "refused", "'../../evil'", "leads out of its folder");
    assertThat(root.resolve("evil")).doesNotExist();
    assertThat(root.resolve("cifar-100")).doesNotExist();
  }

  @Test
  void archiveThatLacksAFile() {
    Map<String, byte[]> files = archiveFiles();
    files.remove("cifar-100-binary/test.bin");
    assertThatThrownBy(() -> store().fetch(cifarArchive(files), null, listener)).isInstanceOf(DataException.class)
        .hasMessageContaining("lacks test.bin");
    assertThat(root.resolve("cifar-100")).doesNotExist();
  }

  @Test
  void onlyOneFetchAtATime() throws IOException {
    Path work = Files.createDirectories(root.resolve(".mnist.download"));
    try (FileChannel channel = FileChannel.open(work.resolve("lock"), StandardOpenOption.CREATE,
        StandardOpenOption.WRITE)) {
      channel.lock();
      assertThatThrownBy(() -> store().fetch(mnist(Map.of()), null, listener)).isInstanceOf(DataException.class)
          .hasMessageContaining("is in use: another process fetches this data set");
    }
    store().fetch(mnist(Map.of()), null, listener);
  }

  @Test
  void dataDirThatIsAFile() {
    write(root.resolve("file"), new byte[1]);
    assertThatThrownBy(() -> new DataStore(root.resolve("file"), downloader()).fetch(mnist(Map.of()), null, listener))
        .isInstanceOf(DataException.class).hasMessageContaining("Cannot install MNIST in " + root.resolve("file"));
  }

  @Test
  void embeddedDataNeedsNoDownload() {
    assertThat(store().fetch("digits", null, listener)).isEmpty();
    Verification verification = new DataStore(null).verify("digits");
    assertThat(verification.evidence()).isEqualTo(Evidence.CONTENT);
    assertThat(verification.location()).isEmpty();
  }

  @Test
  void copyThatWasPackedAnewIsJudgedByItsContent() {
    Path folder = root.resolve("mnist");
    write(folder.resolve("train-images-idx3-ubyte"), idxImages(60_000, 28, 28));
    write(folder.resolve("train-labels-idx1-ubyte.gz"), gzip(idxLabels(new int[60_000])));
    write(folder.resolve("t10k-images-idx3-ubyte"), idxImages(10_000, 28, 28));
    write(folder.resolve("t10k-labels-idx1-ubyte"), idxLabels(new int[10_000]));
    Verification verification = new DataStore(root).verify("mnist");
    assertThat(verification.evidence()).isEqualTo(Evidence.CONTENT);
    assertThat(verification.location()).contains(folder);
    write(folder.resolve("t10k-images-idx3-ubyte"), idxImages(9_999, 28, 28));
    write(folder.resolve("t10k-labels-idx1-ubyte"), idxLabels(new int[9_999]));
    assertThatThrownBy(() -> new DataStore(root).verify("mnist")).isInstanceOf(DataException.class)
        .hasMessageContaining("holds 60000 training and 9999 test images, where MNIST has 60000 and 10000");
    write(folder.resolve("t10k-labels-idx1-ubyte"), idxLabels(10, 1));
    assertThatThrownBy(() -> new DataStore(root).verify("mnist")).isInstanceOf(DataException.class);
  }

  @Test
  void nothingToVerify() {
    assertThatThrownBy(() -> new DataStore(root).verify("mnist")).isInstanceOf(DataException.class)
        .hasMessageContaining("MNIST was not found");
  }

  @Test
  void everyDownloadHasAnAddressAndChecksums() {
    for (String name : Catalog.names()) {
      Catalog.Entry entry = Catalog.entry(name);
      assertThat(entry.download().files().isEmpty()).as(name).isEqualTo(entry.info().embedded());
      for (RemoteFile file : entry.download().files()) {
        assertThat(file.md5()).as(file.name()).matches("[0-9a-f]{32}");
        assertThat(entry.download().base().toString()).matches("https?://.*/");
      }
    }
  }

  private DataStore store() {
    return new DataStore(root, downloader());
  }

  private static Downloader downloader() {
    return new Downloader(QUICK, Map.of(), null);
  }

  private static Map<String, byte[]> mnistFiles() {
    return Map.of(
        "train-images-idx3-ubyte.gz", gzip(idxImages(3, 28, 28)),
        "train-labels-idx1-ubyte.gz", gzip(idxLabels(5, 0, 9)),
        "t10k-images-idx3-ubyte.gz", gzip(idxImages(2, 28, 28)),
        "t10k-labels-idx1-ubyte.gz", gzip(idxLabels(1, 2)));
  }

  /** MNIST as this test's server offers it; the md5 of some files may be given instead of the right one. */
  private Catalog.Entry mnist(Map<String, String> md5) {
    Map<String, byte[]> files = mnistFiles();
    files.forEach((name, content) -> server.serve("mnist/" + name, content));
    List<RemoteFile> remote = Catalog.entry("mnist").download().files().stream().map(file -> new RemoteFile(file.name(),
        md5.getOrDefault(file.name(), md5(files.get(file.name()))), false)).toList();
    return withDownload("mnist", new Download(server.uri("mnist/"), remote, ""));
  }

  private static Map<String, byte[]> archiveFiles() {
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put("cifar-100-binary/coarse_label_names.txt", "fish\n".getBytes());
    files.put("cifar-100-binary/train.bin", cifar(new int[] {3, 42}, new int[] {0, 99}));
    files.put("cifar-100-binary/test.bin", cifar(new int[] {1, 7}));
    return files;
  }

  private Catalog.Entry cifarArchive(Map<String, byte[]> files) {
    byte[] archive = gzip(tar(files));
    server.serve(ARCHIVE, archive);
    return withDownload("cifar-100",
        new Download(server.uri(""), List.of(new RemoteFile(ARCHIVE, md5(archive), true)), ""));
  }

  private static Catalog.Entry withDownload(String name, Download download) {
    Catalog.Entry entry = Catalog.entry(name);
    return new Catalog.Entry(entry.info(), entry.layout(), entry.folders(), download);
  }
}
