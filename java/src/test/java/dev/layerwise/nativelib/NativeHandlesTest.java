package dev.layerwise.nativelib;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.layerwise.LayerwiseException;
import dev.layerwise.nativelib.generated.LayerwiseApi.BlockKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Lifetimes of native objects: whatever the order of closing and using, a clear sentence and no crash. */
class NativeHandlesTest {
  private NativeContext context;

  @BeforeEach
  void open() {
    context = NativeContext.create("reference", 1, 1);
  }

  @AfterEach
  void close() {
    context.close();
  }

  private NativeTensor smallTensor() {
    return context.tensor(new float[] {1, 2, 3, 4}, 2, 2, 1, 1);
  }

  private static BlockConfig linear(String name) {
    return new BlockConfig(name, BlockKind.LAYERWISE_LINEAR).shapes(2, 1, 1, 4).losses(Map.of("classes", 2));
  }

  @Test
  void closingTwiceDoesNothing() {
    NativeTensor tensor = smallTensor();
    NativeBlock block = context.block(linear("layers.0"));
    NativeDataSet dataSet = dataSet();
    assertThatCode(
            () -> {
              for (int i = 0; i < 2; i++) {
                tensor.close();
                block.close();
                dataSet.close();
                context.close();
              }
            })
        .doesNotThrowAnyException();
  }

  @Test
  void useAfterCloseSaysWhatIsClosed() {
    NativeTensor tensor = smallTensor();
    tensor.close();
    assertThatExceptionOfType(InvalidStateException.class)
        .isThrownBy(tensor::read)
        .withMessage("the tensor is closed and cannot be used any more");
    NativeDataSet dataSet = dataSet();
    dataSet.close();
    assertThatExceptionOfType(InvalidStateException.class)
        .isThrownBy(() -> dataSet.batch(null))
        .withMessageStartingWith("the data set is closed");
    NativeBlock block = context.block(linear("layers.3"));
    block.close();
    assertThatExceptionOfType(InvalidStateException.class)
        .isThrownBy(block::metrics)
        .withMessageStartingWith("layers.3: the block is closed");
    context.close();
    assertThatExceptionOfType(InvalidStateException.class)
        .isThrownBy(() -> context.setStep(1, 0.1))
        .withMessage("the context on device 'reference' is closed; create a new one");
  }

  @Test
  void aClosedTensorIsNoArgument() {
    try (NativeBlock block = context.block(linear("layers.0"));
        NativeTensor labels = context.labels(new int[] {0, 1})) {
      NativeTensor x = smallTensor();
      x.close();
      assertThatExceptionOfType(InvalidStateException.class)
          .isThrownBy(() -> block.trainStep(x, labels, null))
          .withMessageStartingWith("the tensor is closed");
    }
  }

  @Test
  void closingTheContextClosesWhatItCreated() {
    NativeTensor tensor = smallTensor();
    NativeBlock block = context.block(linear("layers.0"));
    context.close();
    assertThat(context.openHandles()).isZero();
    assertThatExceptionOfType(InvalidStateException.class)
        .isThrownBy(tensor::shape)
        .withMessageContaining("closed with its context");
    assertThatExceptionOfType(InvalidStateException.class)
        .isThrownBy(() -> block.read("encoder.weight"))
        .withMessageContaining("closed with its context");
  }

  @Test
  void childrenMayBeClosedAfterTheirContextAndOutputsAfterTheirBlock() {
    NativeTensor x = smallTensor();
    NativeTensor labels = context.labels(new int[] {0, 1});
    NativeBlock block = context.block(linear("layers.0"));
    NativeTensor output = block.trainStep(x, labels, null);
    block.close();
    assertThat(output.read()).hasSize(8);
    context.close();
    assertThatCode(
            () -> {
              output.close();
              labels.close();
              x.close();
            })
        .doesNotThrowAnyException();
  }

  @Test
  void aTensorOfAnotherContextIsRefused() {
    try (NativeContext other = NativeContext.create("reference", 1, 1);
        NativeBlock block = context.block(linear("layers.0"));
        NativeTensor foreign = other.tensor(new float[4], 2, 2, 1, 1);
        NativeTensor labels = context.labels(new int[] {0, 1})) {
      assertThatExceptionOfType(InvalidArgumentException.class)
          .isThrownBy(() -> block.trainStep(foreign, labels, null))
          .withMessage("layers.0: x belongs to another context");
    }
  }

  /**
   * 10 000 tensors of 64 KiB would be 640 MB if none were freed. The process may still grow by the
   * compiled code and heap of a warming virtual machine, some tens of megabytes.
   */
  @Test
  void tenThousandTensorsAndBlocksLeaveNothingBehind() throws IOException {
    float[] values = new float[16 * 1024];
    createAndClose(values, 500);
    long arena = context.memory().arenaBytes();
    long parameters = context.memory().parameterBytes();
    long resident = residentBytes();
    createAndClose(values, 10_000);
    assertThat(context.openHandles()).isZero();
    assertThat(context.memory().arenaBytes()).isEqualTo(arena);
    assertThat(context.memory().parameterBytes()).isEqualTo(parameters);
    assertThat(residentBytes() - resident).isLessThan(200L << 20);
  }

  private void createAndClose(float[] values, int times) {
    for (int i = 0; i < times; i++) {
      try (NativeTensor tensor = context.tensor(values, 16, 1024, 1, 1);
          NativeBlock block = context.block(linear("layers.0"))) {
        assertThat(tensor.isOpen() && block.isOpen()).isTrue();
      }
    }
  }

  private static long residentBytes() throws IOException {
    String statm = Files.readString(Path.of("/proc/self/statm"));
    return Long.parseLong(statm.split(" ")[1]) * 4096; // x86-64's page
  }

  @Test
  void threadsThatShareAContextTakeTurns() throws InterruptedException {
    NativeTensor tensor = smallTensor();
    Thread[] readers = new Thread[4];
    Throwable[] failures = new Throwable[readers.length];
    for (int i = 0; i < readers.length; i++) {
      int reader = i;
      readers[i] =
          new Thread(
              () -> {
                try {
                  while (true) {
                    tensor.read();
                  }
                } catch (LayerwiseException e) {
                  failures[reader] = e;
                }
              });
      readers[i].start();
    }
    Thread.sleep(50);
    context.close();
    for (Thread reader : readers) {
      reader.join();
    }
    assertThat(failures).allSatisfy(failure -> assertThat(failure).isInstanceOf(InvalidStateException.class));
  }

  private NativeDataSet dataSet() {
    return context.dataSet(new byte[4], new int[] {1}, 1, 1, 2, 2, 2, new float[] {0}, new float[] {1});
  }
}
