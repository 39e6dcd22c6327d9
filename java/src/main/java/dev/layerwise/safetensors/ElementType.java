package dev.layerwise.safetensors;

/** The element types of safetensors files that take whole bytes, under the names that the format gives them. */
public enum ElementType {
  /** One byte, 0 or 1. */
  BOOL(1),
  /** Unsigned byte. */
  U8(1),
  /** 8-bit two's complement. */
  I8(1),
  /** 8-bit float with 5 bits of exponent. */
  F8_E5M2(1),
  /** 8-bit float with 4 bits of exponent. */
  F8_E4M3(1),
  /** Unsigned 16-bit number. */
  U16(2),
  /** 16-bit two's complement. */
  I16(2),
  /** IEEE 754 half precision. */
  F16(2),
  /** The upper half of a float32. */
  BF16(2),
  /** Unsigned 32-bit number. */
  U32(4),
  /** 32-bit two's complement. */
  I32(4),
  /** IEEE 754 single precision. */
  F32(4),
  /** Unsigned 64-bit number. */
  U64(8),
  /** 64-bit two's complement. */
  I64(8),
  /** IEEE 754 double precision. */
  F64(8);

  private final int bytes;

  ElementType(int bytes) {
    this.bytes = bytes;
  }

  /** Size of one element. */
  public int bytes() {
    return bytes;
  }

  /** Whether {@link TensorSource#inFloat32} takes it. */
  public boolean isReal() {
    return this == F16 || this == BF16 || this == F32 || this == F64;
  }
}
