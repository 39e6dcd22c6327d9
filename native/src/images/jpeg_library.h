// What liblayerwise_jpeg.so exports: one function. It is opened only when a JPEG file is to be decoded, so that nothing else
// depends on libjpeg-turbo.
#pragma once

#include <cstdint>

#include "core/error.h"

namespace layerwise {

/// What a file's components are, which its own segments may be unclear about.
enum class JpegColors { grey, ycbcr, rgb };

/// A file, and what its header says.
struct JpegFile {
  const uint8_t* bytes;
  int64_t size;
  JpegColors colors;
  int height;
  int width;
};

/// Where decoding fails: why. The message is cut where it does not fit.
struct JpegFailure {
  ErrorKind kind = ErrorKind::internal;
  char message[256] = "";
};

/// The exported function's name and type; it does not throw. Decodes a whole file to red, green and blue levels in (height,
/// width, 3) order, those that PIL reads. False, and the failure, where the file is damaged, even if most of it could be
/// decoded, or is of a kind that is not read.
constexpr const char* decode_jpeg_symbol = "layerwise_decode_jpeg";
using DecodeJpeg = bool(const JpegFile& file, uint8_t* levels, JpegFailure& failure) noexcept;

}  // namespace layerwise
