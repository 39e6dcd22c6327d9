package dev.layerwise.cli;

import com.fasterxml.jackson.annotation.JsonProperty;
import dev.layerwise.api.Layer;
import dev.layerwise.api.Model;
import dev.layerwise.export.NpyFile;
import dev.layerwise.train.BatchSlice;
import dev.layerwise.train.Communicator;
import java.io.IOException;
import java.util.List;

/**
 * Features of images that several processes compute: in each round every process a whole batch, so that the rows have the
 * same bits as those of one process. Each process holds one other's batch at a time.
 */
final class FeatureRounds {
  private final Communicator processes;
  private final Model model;
  private final Layer layer;

  /** Gives this process's batches. */
  @FunctionalInterface
  interface Source {
    /**
     * Reads a batch. The numbers that this process asks for rise.
     *
     * @param number of the batch, from 0, among those of all processes
     */
    Images batch(int number) throws IOException;
  }

  /**
   * Images of a batch that can be used, perhaps none.
   *
   * @param names of each image what is written beside its row
   * @param problems a sentence for each image that cannot be used
   */
  record Images(byte[] pixels, List<String> names, List<String> problems) {
    static final Images NONE = new Images(new byte[0], List.of(), List.of());
  }

  /** What the other processes know of a batch before they get its rows. */
  private record Summary(
      @JsonProperty("names") List<String> names, @JsonProperty("problems") List<String> problems) {}

  /** Is told of the images of all processes, in their order. */
  @FunctionalInterface
  interface Listener {
    void passed(List<String> names, List<String> problems);
  }

  FeatureRounds(Communicator processes, Model model, Layer layer) {
    this.processes = processes;
    this.model = model;
    this.layer = layer;
  }

  /**
   * Computes the features of all batches.
   *
   * @param rows gets a row per image, in the order of images, in the first process; is not used in the others
   */
  void compute(int batches, Source source, Listener listener, NpyFile.Rows rows) throws IOException {
    BatchSlice slice = processes.slice();
    for (int first = 0; first < batches; first += slice.size()) {
      int own = first + slice.rank();
      Images images = own < batches ? source.batch(own) : Images.NONE;
      int count = images.names().size();
      float[][] features = count == 0 ? new float[0][] : model.features(images.pixels(), count, layer.name());
      List<Summary> summaries = processes.gather(new Summary(images.names(), images.problems()), Summary.class);
      for (int rank = 0; rank < slice.size(); rank++) {
        Summary summary = summaries.get(rank);
        listener.passed(summary.names(), summary.problems());
        pass(rank, summary.names().size(), features, rows);
      }
    }
  }

  /** Brings a process's rows to the first. */
  private void pass(int rank, int count, float[][] own, NpyFile.Rows rows) throws IOException {
    boolean isOwn = rank == processes.slice().rank();
    if (rank == 0) {
      if (isOwn) {
        for (float[] row : own) {
          rows.add(row);
        }
      }
      return;
    }
    if (count == 0) {
      return;
    }
    int width = layer.features();
    float[] values = new float[count * width];
    for (int i = 0; isOwn && i < count; i++) {
      System.arraycopy(own[i], 0, values, i * width, width);
    }
    processes.broadcast(values, rank);
    if (processes.isFirst()) {
      for (int i = 0; i < count; i++) {
        float[] row = new float[width];
        System.arraycopy(values, i * width, row, 0, width);
        rows.add(row);
      }
    }
  }
}
