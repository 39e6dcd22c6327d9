#include "images/jpeg_loader.h"

#include <dlfcn.h>

#include "core/own_folder.h"

namespace layerwise {

namespace {

DecodeJpeg* load() {
  const auto file = own_folder() / "liblayerwise_jpeg.so";
  std::error_code unreadable;
  if (!std::filesystem::exists(file, unreadable))
    fail(ErrorKind::device_unavailable, "this build cannot decode JPEG files itself: ", file.filename().string(),
         " is missing; install libjpeg-turbo (on Debian: apt-get install libjpeg-dev) and build Layerwise again");
  void* const library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr)
    fail(ErrorKind::device_unavailable, "libjpeg-turbo does not load: ", dlerror(),
         "; install the one that Layerwise was built with, or build Layerwise again");
  const auto found = reinterpret_cast<DecodeJpeg*>(dlsym(library, decode_jpeg_symbol));
  if (found == nullptr)
    fail(ErrorKind::device_unavailable, "liblayerwise_jpeg.so does not have ", decode_jpeg_symbol,
         "; install it from the same build as liblayerwise");
  return found;
}

DecodeJpeg* loaded() {
  static DecodeJpeg* const decode = load();  // tried again after a failure
  return decode;
}

}  // namespace

void require_jpeg() { loaded(); }

void decode_jpeg(const JpegFile& file, uint8_t* levels) {
  JpegFailure failure;
  if (!loaded()(file, levels, failure)) throw Error(failure.kind, failure.message);
}

}  // namespace layerwise
