package dev.layerwise.data;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
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
    Parts parts = new Parts(info);
    if (location.endsWith(archive)) {
      TarMembers.read(location, files(), info, parts::read);
    } else {
      for (String name : files()) {
        try (DataFile file = DataFile.open(DataFile.find(location, name).orElse(location.resolve(name)))) {
          parts.read(file, name);
        }
      }
    }
    return new DataSet<>(info, parts.train(), parts.test());
  }

  /** What has been read: pixels of the training files one behind the other, as files come. */
  private final class Parts {
    private final DataSetInfo info;
    private final Map<String, int[]> labels = new LinkedHashMap<>();
    /** Of the test file, and of the training files. */
    private final Map<Boolean, PixelMemory> pixels = new HashMap<>();

    Parts(DataSetInfo info) {
      this.info = info;
    }

    int[] read(DataFile file, String name) {
      boolean test = name.equals(testFile);
      int most = test ? info.testCount() : info.trainCount() / trainFiles.size();
      PixelMemory memory =
          pixels.computeIfAbsent(
              test, one -> file.memoryFor(most * info.pixelsPerImage(), one ? 1 : trainFiles.size()));
      int[] found = CifarReader.read(file, info, coarseClasses, most, memory);
      labels.put(name, found);
      return found;
    }

    ImageSet test() {
      return images(pixels.get(true).content(), List.of(testFile));
    }

    ImageSet train() {
      ByteBuffer read = pixels.get(false).content();
      List<String> asRead = labels.keySet().stream().filter(trainFiles::contains).toList();
      if (asRead.equals(trainFiles)) {
        return images(read, trainFiles);
      }
      PixelMemory inOrder = new PixelMemory(read.limit());
      for (String name : trainFiles) {
        int imagesBefore = asRead.stream().takeWhile(other -> !other.equals(name)).mapToInt(this::count).sum();
        int bytes = count(name) * info.pixelsPerImage();
        inOrder.room(bytes).put(read.slice(imagesBefore * info.pixelsPerImage(), bytes));
      }
      return images(inOrder.content(), trainFiles);
    }

    private int count(String name) {
      return labels.get(name).length;
    }

    private ImageSet images(ByteBuffer levels, List<String> files) {
      int[] all = files.stream().flatMapToInt(name -> Arrays.stream(labels.get(name))).toArray();
      return new ImageSet(levels, all, info.channels(), info.height(), info.width(), info.classes());
    }
  }

  @Override
  public String describe() {
    return String.join(", ", trainFiles) + " and " + testFile + " (plain, .gz or .xz) or " + archive;
  }
}
