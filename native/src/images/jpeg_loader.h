// JPEG files by libjpeg-turbo, where this build has it.
#pragma once

#include "images/jpeg_library.h"

namespace layerwise {

/// Throws Error(device_unavailable), with what to do, where JPEG files cannot be decoded.
void require_jpeg();

/// As DecodeJpeg. Throws Error(invalid_argument) for a file that cannot be used, otherwise as require_jpeg.
void decode_jpeg(const JpegFile& file, uint8_t* levels);

}  // namespace layerwise
