package dev.layerwise.nativelib;

import static dev.layerwise.nativelib.NativeLibrary.check;

import dev.layerwise.nativelib.generated.BlockPointer;
import dev.layerwise.nativelib.generated.LayerwiseApi.TensorRole;
import dev.layerwise.nativelib.generated.LayerwiseApi;
import dev.layerwise.nativelib.generated.MetricsStruct;
import dev.layerwise.nativelib.generated.TensorInfoStruct;
import dev.layerwise.nativelib.generated.TensorPointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToIntBiFunction;
import java.util.stream.Stream;

/**
 * A block of a network: parameters, optimizer and the step that trains them.
 *
 * <p>Tensors that a call returns are the caller's to close. All calls throw {@link
 * InvalidArgumentException} for shapes that do not fit and {@link DeviceOutOfMemoryException} where the
 * device has no room; the messages begin with the block's name.
 */
public final class NativeBlock extends NativeHandle<BlockPointer> {
  private final String name;
  private List<TensorInfo> tensors;

  NativeBlock(NativeContext context, BlockPointer pointer, String name) {
    super(context, pointer);
    this.name = name;
  }

  /** The name that its config gave it. */
  public String name() {
    return name;
  }

  /**
   * One local training step: forward, the block's own loss, its gradients, its optimizer.
   *
   * @param shortcut added after batch norm; {@code null}: none
   * @return the block's output, computed with the parameters before the update; for the output layer the
   *     logits (N, classes)
   */
  public NativeTensor trainStep(NativeTensor x, NativeTensor labels, NativeTensor shortcut) {
    return trainStep(x, labels, shortcut, false).output();
  }

  /**
   * What a local step gives; both tensors are the caller's to close.
   *
   * @param dShortcut gradient at the shortcut, or {@code null} where it is not wanted
   */
  public record StepResult(NativeTensor output, NativeTensor dShortcut) {}

  /** As {@link #trainStep(NativeTensor, NativeTensor, NativeTensor)}, with the gradient at the shortcut. */
  public StepResult trainStep(
      NativeTensor x, NativeTensor labels, NativeTensor shortcut, boolean wantShortcutGradient) {
    synchronized (lock()) {
      TensorPointer output = new TensorPointer();
      TensorPointer dShortcut = wantShortcutGradient ? new TensorPointer() : null;
      check(
          LayerwiseApi.layerwise_block_train_step(
              pointer(), argument(x, "x"), argument(labels, "labels"), argument(shortcut, "shortcut"), output,
              dShortcut));
      return new StepResult(
          new NativeTensor(context(), output),
          wantShortcutGradient ? new NativeTensor(context(), dShortcut) : null);
    }
  }

  /**
   * Forward pass whose gradient travels on; the block keeps what {@link #backward} needs, its input
   * included.
   *
   * @param labels for the block's local losses; {@code null} where it has none
   * @param shortcut as in {@link #trainStep}
   */
  public NativeTensor forward(NativeTensor x, NativeTensor labels, NativeTensor shortcut) {
    synchronized (lock()) {
      TensorPointer output = new TensorPointer();
      check(
          LayerwiseApi.layerwise_block_forward(
              pointer(), argument(x, "x"), argument(labels, "labels"), argument(shortcut, "shortcut"), output));
      return new NativeTensor(context(), output);
    }
  }

  /**
   * What a backward pass passes on; the tensors are the caller's to close, {@code null} where not wanted.
   */
  public record PassedOn(NativeTensor dInput, NativeTensor dShortcut) {}

  /**
   * Backward pass: updates the parameters and drops what {@link #forward} kept.
   *
   * @param dOutput gradient at the output, in its shape; {@code null}: none arrives, and the block learns from its own
   *     losses alone
   * @param wantInputGradient whether anyone needs the gradient at the input; the first block's nobody does
   * @param wantShortcutGradient whether anyone needs the gradient at the shortcut
   * @throws InvalidStateException without a forward pass before it
   */
  public PassedOn backward(NativeTensor dOutput, boolean wantInputGradient, boolean wantShortcutGradient) {
    synchronized (lock()) {
      BlockPointer block = pointer();
      TensorPointer given = argument(dOutput, "d_output");
      TensorPointer dInput = wantInputGradient ? new TensorPointer() : null;
      TensorPointer dShortcut = wantShortcutGradient ? new TensorPointer() : null;
      check(LayerwiseApi.layerwise_block_backward(block, given, dInput, dShortcut));
      return new PassedOn(
          wantInputGradient ? new NativeTensor(context(), dInput) : null,
          wantShortcutGradient ? new NativeTensor(context(), dShortcut) : null);
    }
  }

  /**
   * The output layer's step under backpropagation: forward, loss, backward and update at once.
   *
   * @return the gradient at the input
   */
  public NativeTensor outputTrainStep(NativeTensor x, NativeTensor labels) {
    synchronized (lock()) {
      TensorPointer dInput = new TensorPointer();
      check(
          LayerwiseApi.layerwise_block_output_train_step(
              pointer(), argument(x, "x"), argument(labels, "labels"), dInput));
      return new NativeTensor(context(), dInput);
    }
  }

  /**
   * Forward pass in evaluation mode: running statistics, no dropout.
   *
   * @param labels the (local) classifier's loss and errors are added to the metrics; {@code null}: not
   * @param shortcut as in {@link #trainStep}
   * @return as in {@link #trainStep}
   */
  public NativeTensor evaluate(NativeTensor x, NativeTensor labels, NativeTensor shortcut) {
    synchronized (lock()) {
      TensorPointer output = new TensorPointer();
      check(
          LayerwiseApi.layerwise_block_evaluate(
              pointer(), argument(x, "x"), argument(labels, "labels"), argument(shortcut, "shortcut"), output));
      return new NativeTensor(context(), output);
    }
  }

  /**
   * A training step's forward pass, which moves the running statistics and learns nothing.
   *
   * @param shortcut as in {@link #trainStep}
   * @return as in {@link #trainStep}
   */
  public NativeTensor estimateStatistics(NativeTensor x, NativeTensor shortcut) {
    synchronized (lock()) {
      TensorPointer output = new TensorPointer();
      check(
          LayerwiseApi.layerwise_block_estimate_statistics(
              pointer(), argument(x, "x"), argument(shortcut, "shortcut"), output));
      return new NativeTensor(context(), output);
    }
  }

  /**
   * Evaluation mode as far as the block's local classifier.
   *
   * @param shortcut as in {@link #trainStep}
   * @return the classifier's logits, (N, classes)
   * @throws InvalidArgumentException if the block has no classifier of the labels: no prediction loss, or projected
   *     targets
   */
  public NativeTensor localLogits(NativeTensor x, NativeTensor shortcut) {
    synchronized (lock()) {
      TensorPointer logits = new TensorPointer();
      check(
          LayerwiseApi.layerwise_block_local_logits(
              pointer(), argument(x, "x"), null, argument(shortcut, "shortcut"), logits, null));
      return new NativeTensor(context(), logits);
    }
  }

  /**
   * What one pass in evaluation mode gives; both tensors are the caller's to close.
   *
   * @param logits of the block's local classifier, (N, classes)
   * @param output as {@link #evaluate} gives it
   */
  public record Classified(NativeTensor logits, NativeTensor output) {}

  /**
   * {@link #evaluate} and {@link #localLogits} in one pass.
   *
   * @param labels as for {@link #evaluate}
   * @param shortcut as in {@link #trainStep}
   * @throws InvalidArgumentException as {@link #localLogits} does
   */
  public Classified classify(NativeTensor x, NativeTensor labels, NativeTensor shortcut) {
    synchronized (lock()) {
      TensorPointer logits = new TensorPointer();
      TensorPointer output = new TensorPointer();
      check(
          LayerwiseApi.layerwise_block_local_logits(
              pointer(), argument(x, "x"), argument(labels, "labels"), argument(shortcut, "shortcut"), logits, output));
      return new Classified(new NativeTensor(context(), logits), new NativeTensor(context(), output));
    }
  }

  /** Reads the sums since the last call, and starts anew. */
  public BlockMetrics metrics() {
    return metrics(LayerwiseApi::layerwise_block_metrics);
  }

  /** Reads the sums since {@link #metrics()} was last called, without starting anew. */
  public BlockMetrics metricsSoFar() {
    return metrics(LayerwiseApi::layerwise_block_metrics_so_far);
  }

  private BlockMetrics metrics(ToIntBiFunction<BlockPointer, MetricsStruct> reading) {
    synchronized (lock()) {
      BlockPointer block = pointer();
      try (MetricsStruct metrics = new MetricsStruct()) {
        check(reading.applyAsInt(block, metrics));
        return new BlockMetrics(
            metrics.similarity_loss(), metrics.prediction_loss(), metrics.unsupervised_loss(), metrics.errors(),
            metrics.samples());
      }
    }
  }

  /** Everything that the block holds: parameters, buffers, optimizer state. */
  public List<TensorInfo> tensors() {
    synchronized (lock()) {
      BlockPointer block = pointer();
      if (tensors == null) {
        tensors = readTensorInfos(block);
      }
      return tensors;
    }
  }

  private static TensorRole role(int number) {
    return Stream.of(TensorRole.values()).filter(role -> role.value == number).findFirst().orElseThrow();
  }

  private static List<TensorInfo> readTensorInfos(BlockPointer block) {
    int[] count = new int[1];
    check(LayerwiseApi.layerwise_block_tensor_count(block, count));
    List<TensorInfo> infos = new ArrayList<>(count[0]);
    try (TensorInfoStruct info = new TensorInfoStruct()) {
      for (int i = 0; i < count[0]; i++) {
        check(LayerwiseApi.layerwise_block_tensor_info(block, i, info));
        long[] shape = new long[info.rank()];
        for (int dimension = 0; dimension < shape.length; dimension++) {
          shape[dimension] = info.shape(dimension);
        }
        infos.add(new TensorInfo(NativeLibrary.text(info.name()), role(info.role()), shape));
      }
    }
    return List.copyOf(infos);
  }

  /**
   * Copies one of {@link #tensors()} to the host.
   *
   * @param tensor its name
   * @throws InvalidArgumentException if there is none of that name
   */
  public float[] read(String tensor) {
    synchronized (lock()) {
      long[] shape =
          tensors().stream().filter(info -> info.name().equals(tensor)).findFirst().map(TensorInfo::shape).orElseThrow(
              () -> new InvalidArgumentException(name + ": there is no tensor '" + tensor + "'"));
      float[] values = HostArrays.ofShape(shape, name + ": '" + tensor + "'");
      check(LayerwiseApi.layerwise_block_tensor_read(pointer(), tensor, values, values.length));
      return values;
    }
  }

  /**
   * Copies one of {@link #tensors()} into memory outside Java's heap.
   *
   * @param tensor its name
   * @param into a direct buffer of as many float32 as it has elements remaining; its position stays
   * @throws InvalidArgumentException if there is none of that name, or it has more or fewer elements
   */
  public void read(String tensor, ByteBuffer into) {
    FloatBuffer values = into.duplicate().order(ByteOrder.nativeOrder()).asFloatBuffer();
    synchronized (lock()) {
      check(LayerwiseApi.layerwise_block_tensor_read(pointer(), tensor, values, values.remaining()));
    }
  }

  /**
   * Replaces one of {@link #tensors()}.
   *
   * @param tensor its name
   * @param from little-endian float32 that remain in it; its position stays
   * @throws InvalidArgumentException if there is none of that name, or it has more or fewer elements
   */
  public void write(String tensor, ByteBuffer from) {
    FloatBuffer values = from.duplicate().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
    if (!values.isDirect()) {
      float[] copy = new float[values.remaining()];
      values.get(copy);
      write(tensor, copy);
      return;
    }
    synchronized (lock()) {
      check(LayerwiseApi.layerwise_block_tensor_write(pointer(), tensor, values, values.remaining()));
    }
  }

  /**
   * Replaces one of {@link #tensors()}.
   *
   * @param tensor its name
   * @throws InvalidArgumentException if there is none of that name, or it has more or fewer elements
   */
  public void write(String tensor, float[] values) {
    synchronized (lock()) {
      check(LayerwiseApi.layerwise_block_tensor_write(pointer(), tensor, values, values.length));
    }
  }

  /**
   * Of several processes, each has the optimizer's state of a part of the block's parameters. All of them call this before
   * one reads that state.
   */
  public void gatherOptimizerState() {
    synchronized (lock()) {
      check(LayerwiseApi.layerwise_block_gather_optimizer_state(pointer()));
    }
  }

  /**
   * Puts the average of the parameters in their place until {@link #useTrained()}; all processes together. Not while the
   * block is trained.
   *
   * @throws InvalidStateException if the optimizer keeps none, or it is in use
   */
  public void useAverage() {
    synchronized (lock()) {
      check(LayerwiseApi.layerwise_block_use_average(pointer()));
    }
  }

  /** Puts back the parameters and buffers that {@link #useAverage()} has set aside. */
  public void useTrained() {
    synchronized (lock()) {
      check(LayerwiseApi.layerwise_block_use_trained(pointer()));
    }
  }

  /**
   * As {@link #trainStep}, but without the update: keeps copies of what the step computed, until the next
   * inspection, to be read by {@link #inspection}.
   */
  public void inspect(NativeTensor x, NativeTensor labels, NativeTensor shortcut) {
    synchronized (lock()) {
      check(
          LayerwiseApi.layerwise_block_inspect(
              pointer(), argument(x, "x"), argument(labels, "labels"), argument(shortcut, "shortcut")));
    }
  }

  /**
   * What the last {@link #inspect} kept.
   *
   * @param quantity "h", "local_logits", "similarity_hidden", "similarity_target", "grad.shortcut" or
   *     "grad." and a parameter's name
   * @return in the order of host arrays, or {@code null} if this block computes nothing of that name
   */
  public float[] inspection(String quantity) {
    synchronized (lock()) {
      BlockPointer block = pointer();
      long[] count = new long[1];
      int status = LayerwiseApi.layerwise_block_inspection_count(block, quantity, count);
      if (status == LayerwiseApi.LAYERWISE_INVALID_ARGUMENT) {
        return null;
      }
      check(status);
      float[] values = HostArrays.ofLength(count[0], name + ": '" + quantity + "'");
      check(LayerwiseApi.layerwise_block_inspection_read(block, quantity, values, values.length));
      return values;
    }
  }

  private TensorPointer argument(NativeTensor tensor, String role) {
    return argument(tensor, context(), name, role);
  }

  @Override
  void free(BlockPointer pointer) {
    LayerwiseApi.layerwise_block_close(pointer);
  }

  @Override
  String description() {
    return name + ": the block";
  }

  @Override
  public String toString() {
    return "block " + name;
  }
}
