package dev.layerwise.data;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * CIFAR's binary version.
 *
 * @param trainFiles the training images, in order
 * @param testFile the test images
 * @param archiveName file name of the official archive
 * @param coarseClasses as in {@link CifarReader#read}
 */
record CifarLayout(List<String> trainFiles, String testFile, String archiveName, int coarseClasses)
    implements ArchiveLayout {
  @Override
  public List<String> files(Part part) {
    return part == Part.TRAIN ? trainFiles : List.of(testFile);
  }

  @Override
  public PartReader reader(DataSetInfo info, Part part) {
    return new Records(info, part);
  }

  /** Reads a part's files, one behind the other as they come. */
  private final class Records implements PartReader {
    private final DataSetInfo info;
    private final List<String> names;
    private final int most;
    private final Map<String, int[]> labels = new LinkedHashMap<>();
    private PixelMemory pixels;

    Records(DataSetInfo info, Part part) {
      this.info = info;
      names = files(part);
      most = (part == Part.TRAIN ? info.trainCount() : info.testCount()) / names.size();
    }

    @Override
    public void read(DataFile file, String name) {
      if (pixels == null) {
        pixels = file.memoryFor(most * info.pixelsPerImage(), names.size());
      }
      labels.put(name, CifarReader.read(file, info, coarseClasses, most, pixels));
    }

    @Override
    public ImageSet images() {
      int[] all = names.stream().flatMapToInt(name -> Arrays.stream(labels.get(name))).toArray();
      return new ImageSet(
          inOrder(pixels.content()), all, info.channels(), info.height(), info.width(), info.classes());
    }

    /** The pixels in the files' own order, which an archive may not have kept. */
    private ByteBuffer inOrder(ByteBuffer read) {
      List<String> asRead = List.copyOf(labels.keySet());
      if (asRead.equals(names)) {
        return read;
      }
      int imageBytes = info.pixelsPerImage();
      PixelMemory ordered = new PixelMemory(read.limit());
      for (String name : names) {
        int imagesBefore =
            asRead.stream().takeWhile(other -> !other.equals(name)).mapToInt(other -> labels.get(other).length).sum();
        int bytes = labels.get(name).length * imageBytes;
        ordered.room(bytes).put(read.slice(imagesBefore * imageBytes, bytes));
      }
      return ordered.content();
    }
  }

  @Override
  public String describe() {
    return String.join(", ", trainFiles) + " and " + testFile + " (plain, .gz or .xz) or " + archiveName;
  }
}
