package dev.layerwise.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.files.FileException;
import java.nio.ByteBuffer;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class TensorMemoryTest {
  /** A tensor that only says how large it is. */
  private record Sized(ElementType type, long byteCount) implements TensorSource {
    @Override
    public long[] shape() {
      return new long[] {byteCount / type.bytes()};
    }

    @Override
    public void read(Consumer<ByteBuffer> reader) {
      reader.accept(ByteBuffer.allocate(0));
    }
  }

  @Test
  void allTensorsPassThroughTheSameMemory() {
    TensorSource small = new Sized(ElementType.F32, 8);
    TensorSource large = new Sized(ElementType.F32, 32);
    TensorMemory memory = new TensorMemory();
    ByteBuffer first = memory.of(small, () -> Stream.of(small, large));
    assertThat(first.remaining()).isEqualTo(8);
    ByteBuffer second = memory.of(large, () -> Stream.of(small, large));
    assertThat(second.remaining()).isEqualTo(32);
    second.putInt(0, 7);
    assertThat(first.getInt(0)).isEqualTo(7);
    assertThat(first.isDirect()).isTrue();
  }

  @Test
  void whatIsTooLargeIsSaidInOneSentence() {
    TensorSource huge = new Sized(ElementType.F32, 3L << 30);
    TensorSource half = new Sized(ElementType.F16, 3L << 29); // in float32 as large as the other
    assertThatThrownBy(() -> new TensorMemory().of(huge, () -> Stream.of(huge)))
        .isInstanceOf(FileException.class)
        .hasMessage("A tensor of 3221225472 bytes is beyond the 2 GiB that one tensor may have.");
    assertThatThrownBy(() -> HostTensor.copyOf(huge)).isInstanceOf(FileException.class);
    assertThatThrownBy(() -> half.inFloat32().read(data -> {})).isInstanceOf(FileException.class);
  }
}
