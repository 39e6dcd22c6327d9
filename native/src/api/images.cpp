// The C API: image files.
#include "api/handles.h"
#include "images/jpeg_loader.h"
#include "images/resampler.h"
#include "images/scratch_memory.h"

using namespace layerwise;

namespace {

JpegColors colors_of(int32_t colors) {
  switch (colors) {
    case LAYERWISE_JPEG_GREY:
      return JpegColors::grey;
    case LAYERWISE_JPEG_YCBCR:
      return JpegColors::ycbcr;
    case LAYERWISE_JPEG_RGB:
      return JpegColors::rgb;
    default:
      fail(ErrorKind::invalid_argument, "there are no JPEG colours ", colors);
  }
}

/// Throws Error(invalid_argument) for what cannot be one.
JpegFile jpeg_file(const uint8_t* file, int64_t bytes, int32_t colors, int32_t height, int32_t width) {
  given(file, "file");
  require(bytes > 0 && height > 0 && width > 0, "there is no JPEG file of ", bytes, " bytes with ", height, "×", width,
          " pixels");
  return {file, bytes, colors_of(colors), height, width};
}

}  // namespace

layerwise_status layerwise_jpeg_check(void) {
  return guarded([] { require_jpeg(); });
}

layerwise_status layerwise_jpeg_decode(const uint8_t* file, int64_t bytes, int32_t colors, int32_t height, int32_t width,
                                       uint8_t* levels) {
  return guarded([&] {
    given(levels, "levels");
    decode_jpeg(jpeg_file(file, bytes, colors, height, width), levels);
  });
}

layerwise_status layerwise_jpeg_resample(const uint8_t* file, int64_t bytes, int32_t colors, int32_t height, int32_t width,
                                         double top, double left, double box_height, double box_width, int32_t size,
                                         int32_t flip, uint8_t* planes) {
  return guarded([&] {
    given(planes, "planes");
    const JpegFile jpeg = jpeg_file(file, bytes, colors, height, width);
    thread_local ScratchMemory<uint8_t> scratch;
    uint8_t* const levels = scratch.get(static_cast<size_t>(height) * static_cast<size_t>(width) * 3);
    decode_jpeg(jpeg, levels);
    resample({levels, height, width}, {top, left, box_height, box_width}, size, flip != 0, planes);
  });
}

layerwise_status layerwise_image_resample(const uint8_t* levels, int32_t height, int32_t width, double top, double left,
                                          double box_height, double box_width, int32_t size, int32_t flip,
                                          uint8_t* planes) {
  return guarded([&] {
    given(levels, "levels");
    given(planes, "planes");
    resample({levels, height, width}, {top, left, box_height, box_width}, size, flip != 0, planes);
  });
}
