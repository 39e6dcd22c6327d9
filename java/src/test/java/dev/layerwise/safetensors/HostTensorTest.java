package dev.layerwise.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.layerwise.files.FileException;
import org.junit.jupiter.api.Test;

/** Tensors of other types as float32. */
class HostTensorTest {
  @Test
  void everyHalfKeepsItsValue() {
    short[] bits = new short[1 << 16];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = (short) i;
    }
    HostTensor converted = Narrowed.of(ElementType.F16, new long[] {256, 256}, bits).inFloat32();
    assertThat(converted.type()).isEqualTo(ElementType.F32);
    assertThat(converted.shape()).containsExactly(256, 256);
    float[] values = converted.toFloats();
    for (int i = 0; i < bits.length; i++) {
      assertThat(Float.floatToIntBits(values[i])).as("%04x", i).isEqualTo(Float.floatToIntBits((float) half(i)));
    }
    assertThat(values[0x3c00]).isEqualTo(1);
    assertThat(values[0x7bff]).isEqualTo(65504);
    assertThat(values[0x8001]).isEqualTo(-5.9604644775390625e-8f); // the smallest subnormal
    assertThat(values[0x3555]).isEqualTo(0.333251953125f);
  }

  /** By the definition of the format, in double. */
  private static double half(int bits) {
    int exponent = bits >> 10 & 31;
    double fraction = (bits & 1023) / 1024.0;
    double magnitude =
        exponent == 31 ? (fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN)
            : exponent == 0 ? fraction * Math.pow(2, -14)
            : (1 + fraction) * Math.pow(2, exponent - 15);
    return bits >= 1 << 15 ? -magnitude : magnitude;
  }

  @Test
  void bfloat16IsTheUpperHalfOfFloat32() {
    HostTensor tensor =
        Narrowed.of(
            ElementType.BF16, new long[] {7}, (short) 0x3f80, (short) 0xbf81, (short) 0x0001, (short) 0x8000,
            (short) 0x7f80, (short) 0x7fc0, (short) 0x7f7f);
    assertThat(tensor.inFloat32().toFloats())
        .containsExactly(
            1, -1.0078125f, 0x1p-133f, -0f, Float.POSITIVE_INFINITY, Float.NaN, 3.3895313892515355e38f);
  }

  @Test
  void doublesAreRounded() {
    HostTensor tensor = HostTensor.of(new long[] {4}, new double[] {0.1, 1 + 0x1p-24, 1e300, Double.MIN_VALUE});
    assertThat(tensor.inFloat32().toFloats()).containsExactly(0.1f, 1, Float.POSITIVE_INFINITY, 0);
  }

  @Test
  void scalarsAndEmptyTensors() {
    HostTensor scalar = Narrowed.of(ElementType.F16, new long[0], (short) 0xc000).inFloat32();
    assertThat(scalar.shape()).isEmpty();
    assertThat(scalar.toFloats()).containsExactly(-2);
    HostTensor none = Narrowed.of(ElementType.BF16, new long[] {3, 0}).inFloat32();
    assertThat(none.shape()).containsExactly(3, 0);
    assertThat(none.toFloats()).isEmpty();
  }

  @Test
  void whatIsNoRealNumberIsRefused() {
    assertThatThrownBy(() -> HostTensor.of(new long[] {2}, new int[2]).inFloat32())
        .isInstanceOf(FileException.class)
        .hasMessage("A tensor of type I32 and shape [2] does not hold real numbers.");
    HostTensor tensor = HostTensor.of(new long[] {2}, new float[2]);
    assertThat(tensor.inFloat32()).isSameAs(tensor);
  }
}
