package dev.layerwise.nativelib;

import static dev.layerwise.nativelib.NativeLibrary.check;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.layerwise.nativelib.generated.CommunicatorPointer;
import dev.layerwise.nativelib.generated.LayerwiseApi;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.LongPointer;

/**
 * The processes that a launcher of MPI has started together. All of them make the same calls in the same order, from one
 * thread; only {@link #abort} may come from any.
 */
public final class NativeCommunicator implements AutoCloseable {
  private final CommunicatorPointer pointer;
  private final int rank;
  private final int size;
  private final List<NativeCommunicator> parts = new ArrayList<>();
  private boolean closed;

  private NativeCommunicator(CommunicatorPointer pointer) {
    this.pointer = pointer;
    int[] number = new int[1];
    check(LayerwiseApi.layerwise_communicator_rank(pointer, number));
    rank = number[0];
    check(LayerwiseApi.layerwise_communicator_size(pointer, number));
    size = number[0];
  }

  /**
   * Starts MPI, which a process can do once.
   *
   * @throws DeviceUnavailableException if this build or this machine has no MPI; the message says what to install
   */
  public static NativeCommunicator create() {
    provideLibrary();
    CommunicatorPointer pointer = new CommunicatorPointer();
    check(LayerwiseApi.layerwise_communicator_create(pointer));
    return new NativeCommunicator(pointer);
  }

  /** The MPI library, such as "Open MPI v4.1.4"; throws as {@link #create} does, and starts nothing. */
  public static String mpi() {
    provideLibrary();
    return NativeLibrary.text((text, length) -> LayerwiseApi.layerwise_mpi_description(text, text.length, length));
  }

  private static void provideLibrary() {
    NativeLibrary.load();
    DeviceLibraries.provide(DeviceLibraries.MPI, "of MPI");
  }

  /** This process's number, from 0. */
  public int rank() {
    return rank;
  }

  /** How many processes there are. */
  public int size() {
    return size;
  }

  /**
   * Compares a value of all processes.
   *
   * @param what names the value in the message: "the version"
   * @throws InvalidArgumentException in all of them if one has another; the message names it
   */
  public void checkEqual(String what, String value) {
    try (BytePointer name = new BytePointer(what, UTF_8);
        BytePointer text = new BytePointer(value, UTF_8)) {
      check(LayerwiseApi.layerwise_communicator_check_equal(pointer(), name, text));
    }
  }

  /** Overwrites the values with their sums over all processes, added in the order of ranks. */
  public void sum(double[] values) {
    check(LayerwiseApi.layerwise_communicator_sum(pointer(), values, values.length));
  }

  /** Overwrites the values with those of a process. */
  public void broadcast(float[] values, int from) {
    try (FloatPointer copy = new FloatPointer(values)) {
      check(LayerwiseApi.layerwise_communicator_broadcast(pointer(), copy, (long) values.length * Float.BYTES, from));
      copy.get(values);
    }
  }

  /** A text of each process, in the order of ranks. */
  public List<String> gather(String own) {
    byte[] text = own.getBytes(UTF_8);
    try (LongPointer length = new LongPointer(1).put(text.length);
        LongPointer lengths = new LongPointer(size)) {
      check(LayerwiseApi.layerwise_communicator_all_gather(pointer(), length, Long.BYTES, lengths));
      int longest = 1;
      for (int r = 0; r < size; r++) {
        longest = (int) Math.max(longest, lengths.get(r));
      }
      try (BytePointer piece = new BytePointer(Arrays.copyOf(text, longest));
          BytePointer all = new BytePointer((long) longest * size)) {
        check(LayerwiseApi.layerwise_communicator_all_gather(pointer(), piece, longest, all));
        List<String> texts = new ArrayList<>();
        for (int r = 0; r < size; r++) {
          byte[] bytes = new byte[(int) lengths.get(r)];
          all.position((long) r * longest).get(bytes);
          texts.add(new String(bytes, UTF_8));
        }
        return texts;
      }
    }
  }

  /**
   * Forms groups: the processes that give the same number make one, in the order of their ranks.
   *
   * @return this process's group, which closes with this communicator
   */
  public NativeCommunicator split(int group) {
    CommunicatorPointer split = new CommunicatorPointer();
    check(LayerwiseApi.layerwise_communicator_split(pointer(), group, split));
    NativeCommunicator part = new NativeCommunicator(split);
    parts.add(part);
    return part;
  }

  /** Sends values to a process, which receives its messages in the order of sending. */
  public void send(long[] values, int to) {
    try (LongPointer data = new LongPointer(values)) {
      check(LayerwiseApi.layerwise_communicator_send(pointer(), data, (long) values.length * Long.BYTES, to));
    }
  }

  /** Sends values to a process. */
  public void send(float[] values, int to) {
    try (FloatPointer data = new FloatPointer(values)) {
      check(LayerwiseApi.layerwise_communicator_send(pointer(), data, (long) values.length * Float.BYTES, to));
    }
  }

  /** Overwrites the values with the next message of a process, which has so many. */
  public void receive(long[] values, int from) {
    try (LongPointer data = new LongPointer(values.length)) {
      check(LayerwiseApi.layerwise_communicator_receive(pointer(), data, (long) values.length * Long.BYTES, from));
      data.get(values);
    }
  }

  /** Overwrites the values with the next message of a process, which has so many. */
  public void receive(float[] values, int from) {
    try (FloatPointer data = new FloatPointer(values.length)) {
      check(LayerwiseApi.layerwise_communicator_receive(pointer(), data, (long) values.length * Float.BYTES, from));
      data.get(values);
    }
  }

  /** Begins to send a copy of a tensor; waits until the process that it goes to has received the one before. */
  public void send(NativeTensor tensor, int to) {
    synchronized (tensor.lock()) {
      check(LayerwiseApi.layerwise_tensor_send(pointer(), tensor.pointer(), to));
    }
  }

  /** Waits until all tensors that were sent have been received. */
  public void finishSends() {
    check(LayerwiseApi.layerwise_communicator_finish_sends(pointer()));
  }

  /** Ends all processes at once, this one included, with an exit code for the launcher. */
  public void abort(int exitCode) {
    LayerwiseApi.layerwise_communicator_abort(pointer, exitCode);
  }

  /** For contexts. */
  CommunicatorPointer pointer() {
    if (closed) {
      throw new InvalidStateException("the communicator is closed");
    }
    return pointer;
  }

  /** Waits for all processes, and ends MPI; contexts that use this are to be closed before. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      parts.forEach(NativeCommunicator::close);
      LayerwiseApi.layerwise_communicator_close(pointer);
    }
  }
}
