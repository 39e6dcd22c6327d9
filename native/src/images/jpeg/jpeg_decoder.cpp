// jpeglib.h needs <cstdio> before it.
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include <jpeglib.h>

#include <algorithm>
#include <string_view>

#include "images/jpeg_library.h"

#ifndef LIBJPEG_TURBO_VERSION
#error "libjpeg-turbo is needed; other versions of libjpeg give other levels"
#endif

namespace layerwise {

namespace {

constexpr int rows_at_once = 16;

/// libjpeg's state, with where to go on after an error, which must not return.
struct Decoder {
  jpeg_decompress_struct jpeg;
  jpeg_error_mgr errors;
  std::jmp_buf on_error;
  JpegFailure* failure;
};

/// The decoder fills what is missing with grey and only warns; it warns of lesser oddities, too.
bool means_damage(std::string_view warning) {
  return warning.find("remature") != warning.npos || warning.find("orrupt") != warning.npos;
}

[[noreturn]] void give_up(Decoder& decoder, const char* words) {
  decoder.failure->kind = ErrorKind::invalid_argument;
  std::snprintf(decoder.failure->message, sizeof decoder.failure->message, "%s", words);
  std::longjmp(decoder.on_error, 1);
}

void on_error(j_common_ptr jpeg) {
  auto& decoder = *static_cast<Decoder*>(jpeg->client_data);
  char words[JMSG_LENGTH_MAX];
  decoder.errors.format_message(jpeg, words);
  give_up(decoder, words);
}

void on_message(j_common_ptr jpeg, int level) {
  if (level >= 0) return;  // a trace, not a warning
  auto& decoder = *static_cast<Decoder*>(jpeg->client_data);
  char words[JMSG_LENGTH_MAX];
  decoder.errors.format_message(jpeg, words);
  if (means_damage(words)) give_up(decoder, words);
}

J_COLOR_SPACE space_of(JpegColors colors) {
  switch (colors) {
    case JpegColors::grey:
      return JCS_GRAYSCALE;
    case JpegColors::ycbcr:
      return JCS_YCbCr;
    default:
      return JCS_RGB;
  }
}

/// Errors leave this function by a jump to its caller: nothing in it has a destructor.
void decode(Decoder& decoder, const JpegFile& file, uint8_t* levels) {
  jpeg_decompress_struct& jpeg = decoder.jpeg;
  jpeg_mem_src(&jpeg, file.bytes, static_cast<unsigned long>(file.size));
  jpeg_read_header(&jpeg, TRUE);
  const int components = file.colors == JpegColors::grey ? 1 : 3;
  if (static_cast<int>(jpeg.image_height) != file.height || static_cast<int>(jpeg.image_width) != file.width ||
      jpeg.num_components != components)
    give_up(decoder, "its scans do not fit its header");
  jpeg.jpeg_color_space = space_of(file.colors);
  jpeg.out_color_space = JCS_RGB;
  jpeg_start_decompress(&jpeg);
  const size_t row_bytes = 3 * static_cast<size_t>(file.width);
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW rows[rows_at_once];
    const int count = std::min<int>(rows_at_once, static_cast<int>(jpeg.output_height - jpeg.output_scanline));
    for (int i = 0; i < count; ++i) rows[i] = levels + (jpeg.output_scanline + i) * row_bytes;
    jpeg_read_scanlines(&jpeg, rows, static_cast<JDIMENSION>(count));
  }
  jpeg_finish_decompress(&jpeg);
}

bool decode_jpeg(const JpegFile& file, uint8_t* levels, JpegFailure& failure) noexcept {
  Decoder decoder;
  decoder.failure = &failure;
  decoder.jpeg.err = jpeg_std_error(&decoder.errors);
  decoder.errors.error_exit = on_error;
  decoder.errors.emit_message = on_message;
  decoder.jpeg.client_data = &decoder;
  bool decoded = false;
  if (setjmp(decoder.on_error) == 0) {
    jpeg_create_decompress(&decoder.jpeg);
    decode(decoder, file, levels);
    decoded = true;
  }
  jpeg_destroy_decompress(&decoder.jpeg);
  return decoded;
}

}  // namespace

}  // namespace layerwise

extern "C" __attribute__((visibility("default"))) bool layerwise_decode_jpeg(const layerwise::JpegFile& file,
                                                                             uint8_t* levels,
                                                                             layerwise::JpegFailure& failure) noexcept {
  return layerwise::decode_jpeg(file, levels, failure);
}
