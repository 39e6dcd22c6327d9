#include "block/pooling_rule.h"

namespace layerwise {

AveragePooling local_classifier_pooling(int64_t channels, int64_t height, int64_t width, int64_t limit) {
  AveragePooling pooling;
  int64_t& kernel_height = pooling.kernel_height;
  int64_t& kernel_width = pooling.kernel_width;
  const auto ceil_divide = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  const auto features = [&] { return channels * ceil_divide(height, kernel_height) * ceil_divide(width, kernel_width); };
  while (features() > limit && kernel_height < height) {
    kernel_height *= 2;
    if (features() > limit) kernel_width *= 2;
  }
  if (height % kernel_height != 0) pooling.padding_height = kernel_height / 2;
  if (width % kernel_width != 0) pooling.padding_width = kernel_width / 2;
  return pooling;
}

}  // namespace layerwise
