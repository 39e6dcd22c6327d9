package dev.layerwise.data;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * CIFAR's binary version: loose files (plain, .gz or .xz), or the official archive, read where it lies.
 *
 * @param trainFiles the training images, in order
 * @param testFile the test images
 * @param archive file name of the official archive
 * @param coarseClasses as in {@link CifarReader#read}
 */
record CifarLayout(List<String> trainFiles, String testFile, String archive, int coarseClasses)
    implements DataSetLayout {
  @Override
  public List<String> files() {
    return Stream.concat(trainFiles.stream(), Stream.of(testFile)).toList();
  }

  @Override
  public Presence inspect(Path folder) {
    Presence loose = DataSetLayout.inspectFiles(folder, files());
    Path packed = folder.resolve(archive);
    return !loose.complete() && Files.exists(packed) ? new Presence(packed, true, List.of()) : loose;
  }

  @Override
  public DataSet<ImageSet> load(Path location, DataSetInfo info) {
    Map<String, ImageSet> parts =
        location.endsWith(archive)
            ? TarMembers.read(location, files(), info, (file, name) -> read(file, name, info))
            : readFolder(location, info);
    ImageSet train = CifarReader.concatenate(trainFiles.stream().map(parts::get).toList());
    return new DataSet<>(info, train, parts.get(testFile));
  }

  private Map<String, ImageSet> readFolder(Path folder, DataSetInfo info) {
    Map<String, ImageSet> parts = new HashMap<>();
    for (String name : files()) {
      try (DataFile file = DataFile.open(DataFile.find(folder, name).orElse(folder.resolve(name)))) {
        parts.put(name, read(file, name, info));
      }
    }
    return parts;
  }

  private ImageSet read(DataFile file, String name, DataSetInfo info) {
    int most = name.equals(testFile) ? info.testCount() : info.trainCount() / trainFiles.size();
    return CifarReader.read(file, info, coarseClasses, most);
  }

  @Override
  public String describe() {
    return String.join(", ", trainFiles) + " and " + testFile + " (plain, .gz or .xz) or " + archive;
  }
}
