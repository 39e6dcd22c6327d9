package dev.layerwise.data;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * CIFAR's binary version: loose files (plain, .gz or .xz), or the official archive, read where it lies.
 *
 * @param trainFiles the training images, in order
 * @param testFile the test images
 * @param archiveName file name of the official archive
 * @param coarseClasses as in {@link CifarReader#read}
 */
record CifarLayout(List<String> trainFiles, String testFile, String archiveName, int coarseClasses)
    implements DataSetLayout {
  @Override
  public List<String> files(Part part) {
    return part == Part.TRAIN ? trainFiles : List.of(testFile);
  }

  @Override
  public Optional<String> archive() {
    return Optional.of(archiveName);
  }

  @Override
  public ImageSet load(Path location, DataSetInfo info, Part part) {
    List<String> names = files(part);
    int most = (part == Part.TRAIN ? info.trainCount() : info.testCount()) / names.size();
    PixelMemory[] pixels = new PixelMemory[1]; // of one file behind the other, as they come
    Map<String, int[]> labels =
        read(
            location, info, part,
            (file, name) -> {
              if (pixels[0] == null) {
                pixels[0] = file.memoryFor(most * info.pixelsPerImage(), names.size());
              }
              return CifarReader.read(file, info, coarseClasses, most, pixels[0]);
            });
    int[] all = names.stream().flatMapToInt(name -> Arrays.stream(labels.get(name))).toArray();
    return new ImageSet(
        inOrder(pixels[0].content(), labels, names, info.pixelsPerImage()), all, info.channels(), info.height(),
        info.width(), info.classes());
  }

  /** The pixels in the files' own order, which an archive may not have kept. */
  private static ByteBuffer inOrder(ByteBuffer read, Map<String, int[]> labels, List<String> names, int imageBytes) {
    List<String> asRead = List.copyOf(labels.keySet());
    if (asRead.equals(names)) {
      return read;
    }
    PixelMemory ordered = new PixelMemory(read.limit());
    for (String name : names) {
      int imagesBefore =
          asRead.stream().takeWhile(other -> !other.equals(name)).mapToInt(other -> labels.get(other).length).sum();
      int bytes = labels.get(name).length * imageBytes;
      ordered.room(bytes).put(read.slice(imagesBefore * imageBytes, bytes));
    }
    return ordered.content();
  }

  @Override
  public String describe() {
    return String.join(", ", trainFiles) + " and " + testFile + " (plain, .gz or .xz) or " + archiveName;
  }
}
