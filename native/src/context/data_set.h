// Byte images on the device, from which batches are cut.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "context/context.h"

namespace layerwise {

/// A data set's images and labels, resident on the device.
class DataSet {
 public:
  /// `shape`: count, height, width, channels; `pixels` in (N, C, H, W) order. Throws
  /// Error(invalid_argument) for a label outside 0 … classes − 1 or a deviation that is not positive.
  /// `in_place`: pixels stay valid and unchanged as long as the data set lives, and where the device's memory is the
  /// host's, they are not copied.
  DataSet(std::shared_ptr<Context> context, const Shape& shape, const uint8_t* pixels, const int32_t* labels,
          int32_t classes, const float* mean, const float* deviation, bool in_place);

  struct Batch {
    ArenaTensor images;  // activations (N, H, W, C), normalised
    ArenaTensor labels;  // int32 vector (N), or of mixed images shares of classes, P (N, classes())
  };

  /// Names the images of the next batches. They stay chosen until the next call; a step that loads them can be
  /// replayed on others, as many, that were chosen since.
  void choose(const int32_t* indices, int64_t count);
  /// The chosen images, augmented, and mixed with each other: with those of all processes, where these share the
  /// statistics of a batch. Throws Error(invalid_state) if none were chosen.
  Batch batch(const Augmentation& augmentation, const Mixing& mixing = {});

  int32_t classes() const { return classes_; }
  const std::shared_ptr<Context>& context() const { return context_; }

 private:
  Tensor chosen() const;
  Batch load(const Augmentation& augmentation) const;

  std::shared_ptr<Context> context_;
  int32_t classes_;
  Tensor pixels_;         // (N, C, H, W), in the copy or where the caller has them
  DeviceBuffer copy_;     // of the pixels, if there is one
  DeviceBuffer labels_, mean_, deviation_;
  DeviceBuffer chosen_;  // int32 vector, at least chosen_count_ long
  int64_t chosen_count_ = 0;
};

}  // namespace layerwise
