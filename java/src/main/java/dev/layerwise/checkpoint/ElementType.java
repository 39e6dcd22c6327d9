package dev.layerwise.checkpoint;

/** The element types that Layerwise stores, under the names that safetensors gives them. */
public enum ElementType {
  /** Unsigned byte. */
  U8(1),
  /** 32-bit two's complement. */
  I32(4),
  /** 64-bit two's complement. */
  I64(8),
  /** IEEE 754 single precision. */
  F32(4),
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
}
