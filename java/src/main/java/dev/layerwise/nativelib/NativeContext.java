package dev.layerwise.nativelib;

import static dev.layerwise.nativelib.NativeLibrary.check;
import static dev.layerwise.nativelib.NativeLibrary.text;
import static java.nio.charset.StandardCharsets.UTF_8;

import dev.layerwise.nativelib.generated.BlockPointer;
import dev.layerwise.nativelib.generated.ContextOptionsStruct;
import dev.layerwise.nativelib.generated.ContextPointer;
import dev.layerwise.nativelib.generated.DataSetPointer;
import dev.layerwise.nativelib.generated.ExchangedStruct;
import dev.layerwise.nativelib.generated.LayerwiseApi;
import dev.layerwise.nativelib.generated.LayerwiseApi.Precision;
import dev.layerwise.nativelib.generated.MemoryStruct;
import dev.layerwise.nativelib.generated.TensorPointer;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.bytedeco.javacpp.BytePointer;

/** A device, its memory and the state of a run on it. */
public final class NativeContext implements AutoCloseable {
  private static final String DOUBLE = "f64";

  /** Begins the names of precisions in C. */
  private static final String PRECISION = "LAYERWISE_PRECISION_";

  private final Object lock = new Object();
  private final DeviceOptions wanted;
  private final ContextPointer pointer;
  private final Set<NativeHandle<?>> open = new HashSet<>();
  private boolean closed;

  private NativeContext(DeviceOptions wanted, ContextPointer pointer) {
    this.wanted = wanted;
    this.pointer = pointer;
  }

  /**
   * Opens a device.
   *
   * @param seed keys every random number: initialization, dropout, augmentation
   * @throws DeviceOptionsException if there is no such device here, or it does not have what the options ask for
   * @throws DeviceUnavailableException if the native library does not load
   */
  public static NativeContext create(DeviceOptions options, long seed) {
    return create(options, seed, null, false);
  }

  /**
   * The processes that train together.
   *
   * @param communicator {@code null}: this process is alone
   * @param localStatistics whether batch norm and the similarity loss see each process's own samples only
   * @param engineReduce whether gradients are added as the engine does it, and not in the order of ranks
   */
  public record Together(NativeCommunicator communicator, boolean localStatistics, boolean engineReduce) {
    /** As one device with the whole batch would train, and with the same bits in every run. */
    public Together(NativeCommunicator communicator) {
      this(communicator, false, false);
    }
  }

  /** Opens a device that trains with those of other processes; throws as {@link #create(DeviceOptions, long)} does. */
  public static NativeContext create(DeviceOptions options, long seed, Together processes) {
    return create(options, seed, processes, false);
  }

  /** Opens a device that times every operation, see {@link #profile}; throws as {@link #create} does. */
  public static NativeContext profiled(DeviceOptions options, long seed) {
    return create(options, seed, null, true);
  }

  private static NativeContext create(
      DeviceOptions asked, long seed, Together processes, boolean profiled) {
    NativeLibrary.load();
    DeviceOptions options = DeviceChoice.of(asked).options();
    DeviceLibraries.provide(options.device());
    if (options.device().matches("cuda(:.*)?")) {
      CudaLibraries.preload(options.engine(), processes != null && processes.communicator() != null);
    }
    ContextPointer pointer = new ContextPointer();
    try (BytePointer device = new BytePointer(CudaLibraries.device(options.device()), UTF_8);
        BytePointer engine = new BytePointer(options.engine(), UTF_8);
        BytePointer choices = new BytePointer(options.engineChoices(), UTF_8);
        ContextOptionsStruct struct = new ContextOptionsStruct()) {
      struct
          .device(device)
          .threads(options.threads())
          .seed(seed)
          .precision(precisionNumber(options.precision()))
          .engine(engine)
          .tf32(options.tf32() ? 1 : 0)
          .engine_choices(choices)
          .communicator(processes == null || processes.communicator() == null ? null : processes.communicator().pointer())
          .local_statistics(processes != null && processes.localStatistics() ? 1 : 0)
          .engine_reduce(processes != null && processes.engineReduce() ? 1 : 0)
          .profiled(profiled ? 1 : 0);
      check(LayerwiseApi.layerwise_context_create(struct, pointer));
    } catch (InvalidArgumentException | DeviceUnavailableException e) {
      throw new DeviceOptionsException(e);
    }
    return new NativeContext(options, pointer);
  }

  /** Opens a device that chooses for itself how it computes; see {@link #create(DeviceOptions, long)}. */
  public static NativeContext create(String device, int threads, long seed) {
    return create(DeviceOptions.of(device, threads), seed);
  }

  /** The options with what a device makes of 0 threads and of automatic precision: both decide bits. */
  public static DeviceOptions resolve(DeviceOptions wanted) {
    try (NativeContext context = create(wanted, 0)) {
      return context.inUse();
    }
  }

  /** The options that this device was opened with, with the threads and the precision that it uses. */
  public DeviceOptions inUse() {
    return new DeviceOptions(
        wanted.device(), threads(), precision(), wanted.engine(), wanted.tf32(), wanted.engineChoices());
  }

  private static int precisionNumber(String name) {
    if (name.equals(DOUBLE)) {
      return Precision.LAYERWISE_PRECISION_AUTO.value; // nothing to ask for: it is what the reference device has
    }
    if (!DeviceOptions.PRECISIONS.contains(name)) {
      throw new InvalidArgumentException(
          "unknown precision '" + name + "'; choose from " + String.join(", ", DeviceOptions.PRECISIONS));
    }
    return Precision.valueOf(PRECISION + name.toUpperCase(Locale.ROOT)).value;
  }

  /** The precision that the device computes in: {@code f32}, {@code bf16} or {@code f64}. */
  public String precision() {
    synchronized (lock) {
      int[] precision = new int[1];
      check(LayerwiseApi.layerwise_context_precision(pointer(), precision));
      return Stream.of(Precision.values())
          .filter(known -> known.value == precision[0]).findFirst().orElseThrow()
          .name().substring(PRECISION.length()).toLowerCase(Locale.ROOT);
    }
  }

  /** Which implementations the device has found to be the fastest so far, as text; empty where fixed rules decide. */
  public String engineChoices() {
    synchronized (lock) {
      return text((text, length) -> LayerwiseApi.layerwise_context_engine_choices(pointer(), text, text.length, length));
    }
  }

  /**
   * What the device has spent its time on since it was opened.
   *
   * @throws InvalidStateException unless it was opened with {@link #profiled}
   */
  public List<OperationProfile> profile() {
    synchronized (lock) {
      String lines = text((text, length) -> LayerwiseApi.layerwise_context_profile(pointer(), text, text.length, length));
      return lines.lines().map(OperationProfile::of).toList();
    }
  }

  /** Waits until the device has done all that it was given. */
  public void synchronize() {
    synchronized (lock) {
      check(LayerwiseApi.layerwise_context_synchronize(pointer()));
    }
  }

  /**
   * Does a step, or lets the device replay one of its kind that it has recorded. Where it fails to record one, the step
   * is done once more, without that.
   *
   * @param kind steps of one kind do the same calls on tensors of the same shapes; the batch size, say
   * @param body those calls; it reads nothing back from the device and may be run twice
   */
  public void step(long kind, Runnable body) {
    synchronized (lock) {
      int[] replayed = new int[1];
      int[] again = new int[1];
      do {
        check(LayerwiseApi.layerwise_context_begin_step(pointer(), kind, replayed));
        if (replayed[0] != 0) {
          return;
        }
        try {
          body.run();
        } catch (RuntimeException | Error e) {
          again[0] = closed ? 0 : LayerwiseApi.layerwise_context_cancel_step(pointer);
          if (again[0] == 0) {
            throw e;
          }
          continue;
        }
        check(LayerwiseApi.layerwise_context_end_step(pointer(), again));
      } while (again[0] != 0);
    }
  }

  /** The device's name, as it was asked for. */
  public String device() {
    return wanted.device();
  }

  /**
   * Sets what changes between steps.
   *
   * @param step number of the step, which the caller counts: keys dropout and augmentation
   */
  public void setStep(long step, double learningRate) {
    synchronized (lock) {
      check(LayerwiseApi.layerwise_context_set_step(pointer(), step, learningRate));
    }
  }

  /**
   * Sets the epoch of the next steps, on which alternating flips depend.
   *
   * @param epoch counted from 1
   */
  public void setEpoch(int epoch) {
    synchronized (lock) {
      check(LayerwiseApi.layerwise_context_set_epoch(pointer(), epoch));
    }
  }

  /**
   * Sets how many samples of the next batch are this process's. With a communicator, all processes call it before a step.
   *
   * @throws InvalidArgumentException in all of them if one has none
   */
  public void setBatch(int samples) {
    synchronized (lock) {
      check(LayerwiseApi.layerwise_context_set_batch(pointer(), samples));
    }
  }

  /** Bytes held on the device now. */
  public MemoryUse memory() {
    synchronized (lock) {
      ContextPointer of = pointer();
      try (MemoryStruct memory = new MemoryStruct()) {
        check(LayerwiseApi.layerwise_context_memory(of, memory));
        return new MemoryUse(
            memory.arena_bytes(), memory.arena_peak_bytes(), memory.parameter_bytes(), memory.dataset_bytes());
      }
    }
  }

  /** What this process has exchanged with others since the device was opened. */
  public Exchanged exchanged() {
    synchronized (lock) {
      ContextPointer of = pointer();
      try (ExchangedStruct exchanged = new ExchangedStruct()) {
        check(LayerwiseApi.layerwise_context_exchanged(of, exchanged));
        return new Exchanged(exchanged.exchanges(), exchanged.received_bytes(), exchanged.seconds());
      }
    }
  }

  /** Computing threads in use. */
  public int threads() {
    synchronized (lock) {
      int[] threads = new int[1];
      check(LayerwiseApi.layerwise_context_threads(pointer(), threads));
      return threads[0];
    }
  }

  /**
   * Copies values to the device.
   *
   * @param values n·c·h·w of them in (N, C, H, W) order
   * @throws InvalidArgumentException if there are more or fewer, or the tensor would be empty
   */
  public NativeTensor tensor(float[] values, int n, int c, int h, int w) {
    requireLength("values", values.length, n, c, h, w);
    synchronized (lock) {
      TensorPointer tensor = new TensorPointer();
      check(LayerwiseApi.layerwise_tensor_create(pointer(), values, n, c, h, w, tensor));
      return new NativeTensor(this, tensor);
    }
  }

  /**
   * Copies class numbers, one per sample, to the device.
   *
   * @throws InvalidArgumentException if there are none, or one is negative
   */
  public NativeTensor labels(int[] labels) {
    synchronized (lock) {
      TensorPointer tensor = new TensorPointer();
      check(LayerwiseApi.layerwise_labels_create(pointer(), labels, labels.length, tensor));
      return new NativeTensor(this, tensor);
    }
  }

  /** Receives the next tensor, or labels, that a process sends to this one. */
  public NativeTensor receive(NativeCommunicator communicator, int from) {
    synchronized (lock) {
      TensorPointer tensor = new TensorPointer();
      check(LayerwiseApi.layerwise_tensor_receive(pointer(), communicator.pointer(), from, tensor));
      return new NativeTensor(this, tensor);
    }
  }

  /**
   * Byte images and their labels. A device that can use them where they are does so, if that is outside Java's heap; then
   * nobody may change them as long as the data set is open. Otherwise they are copied to the device.
   *
   * @param pixels count·channels·height·width bytes in (N, C, H, W) order, from position 0 to the limit
   * @param labels count class numbers below {@code classes}
   * @param mean per channel, of pixel / 255
   * @param deviation per channel, of pixel / 255
   * @throws InvalidArgumentException if a length or a label does not fit
   */
  public NativeDataSet dataSet(
      ByteBuffer pixels, int[] labels, int count, int channels, int height, int width, int classes, float[] mean,
      float[] deviation) {
    requireLength("pixels", pixels.limit(), count, channels, height, width);
    requireLength("labels", labels.length, count);
    requireLength("means", mean.length, channels);
    requireLength("deviations", deviation.length, channels);
    synchronized (lock) {
      DataSetPointer dataSet = new DataSetPointer();
      check(
          LayerwiseApi.layerwise_dataset_create(
              pointer(), pixels, IntBuffer.wrap(labels), count, channels, height, width, classes,
              FloatBuffer.wrap(mean), FloatBuffer.wrap(deviation), pixels.isDirect() ? 1 : 0, dataSet));
      return new NativeDataSet(this, dataSet, pixels);
    }
  }

  /** The same of an array, which is copied. */
  public NativeDataSet dataSet(
      byte[] pixels, int[] labels, int count, int channels, int height, int width, int classes, float[] mean,
      float[] deviation) {
    return dataSet(ByteBuffer.wrap(pixels), labels, count, channels, height, width, classes, mean, deviation);
  }

  /**
   * Creates a block with freshly initialized parameters, keyed by the seed and the block's index.
   *
   * @throws InvalidArgumentException if the config cannot work; the message begins with the block's name
   */
  public NativeBlock block(BlockConfig config) {
    synchronized (lock) {
      ContextPointer on = pointer();
      BlockPointer block = new BlockPointer();
      check(config.use(struct -> LayerwiseApi.layerwise_block_create(on, struct, block)));
      return new NativeBlock(this, block, config.name());
    }
  }

  private static void requireLength(String what, int actual, int... dimensions) {
    long expected = 1;
    for (int dimension : dimensions) {
      // What no array holds stays that large, so that the product cannot wrap around.
      expected = expected > Integer.MAX_VALUE ? expected : expected * dimension;
    }
    if (actual != expected) {
      String product = Arrays.stream(dimensions).mapToObj(Integer::toString).collect(Collectors.joining("×"));
      throw new InvalidArgumentException(
          String.format(Locale.ROOT, "there are %d %s where the dimensions ask for %s", actual, what, product));
    }
  }

  Object lock() {
    return lock;
  }

  /** Whether it is closed; the caller holds the lock. */
  boolean isClosed() {
    return closed;
  }

  /** Handles that are open; the caller holds the lock. */
  int openHandles() {
    return open.size();
  }

  void adopt(NativeHandle<?> handle) {
    open.add(handle);
  }

  void forget(NativeHandle<?> handle) {
    open.remove(handle);
  }

  private ContextPointer pointer() {
    if (closed) {
      throw new InvalidStateException("the context on device '" + wanted.device() + "' is closed; create a new one");
    }
    return pointer;
  }

  /** Closes whatever was created on this context and is still open, then the context itself. */
  @Override
  public void close() {
    synchronized (lock) {
      if (!closed) {
        closed = true;
        List.copyOf(open).forEach(NativeHandle::close);
        LayerwiseApi.layerwise_context_close(pointer);
      }
    }
  }
}
