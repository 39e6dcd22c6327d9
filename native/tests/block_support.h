// What the tests of blocks share: small blocks, inputs and labels with fixed values.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "block/local_block.h"
#include "block/output_layer.h"
#include "context/transfer.h"
#include "devices/open_device.h"

namespace layerwise::testing {

/// Values in [−1, 1) from Philox, the same for the same stream.
inline std::vector<float> random_values(int64_t count, uint32_t stream) {
  std::vector<float> values(static_cast<size_t>(count));
  const RandomKey key{99, RandomPurpose::initialisation, stream, 0};
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(2 * random_unit(random_word(key, i)) - 1);
  return values;
}

/// A batch on a context: random activations and labels 0, 1, …, classes − 1, 0, 1, …
struct Batch {
  Batch(const std::shared_ptr<Context>& context, const Shape& shape, int32_t classes, uint32_t stream = 1) {
    Backend& backend = context->backend();
    ArenaTensor images = backend.arena().take(backend.activation_type(), shape);
    upload(backend, random_values(shape.elements(), stream).data(), images.view());
    x = std::make_shared<const ArenaTensor>(std::move(images));
    std::vector<int32_t> classes_in_turn;
    for (int64_t i = 0; i < shape.n; ++i) classes_in_turn.push_back(static_cast<int32_t>(i % classes));
    label_memory = backend.arena().take(DataType::int32, Shape::vector(shape.n));
    upload(backend, classes_in_turn.data(), label_memory.view());
    labels = {label_memory.view(), classes};
  }

  Activation x;
  ArenaTensor label_memory;
  Labels labels;
};

/// A convolution block on 8×8 maps of 2 channels, 5 out, predsim over 3 classes, with everything on.
inline LocalBlockConfig small_convolution_block(const std::string& name = "block", uint32_t index = 0) {
  LocalBlockConfig config;
  config.name = name;
  config.index = index;
  config.input = {1, 8, 8, 2};
  config.out_channels = 5;
  config.convolution = {3, 3, 1, 1};
  config.negative_slope = 0.01;
  config.dropout = 0.25;
  config.max_pool = true;
  config.loss.dim_in_decoder = 20;
  config.loss.classes = 3;
  return config;
}

/// A linear block over a map.
inline LocalBlockConfig small_linear_block(const Shape& input, const std::string& name = "linear", uint32_t index = 1) {
  LocalBlockConfig config;
  config.name = name;
  config.index = index;
  config.linear = true;
  config.input = input;
  config.out_channels = 7;
  config.negative_slope = 0.01;
  config.loss.classes = 3;
  return config;
}

/// Values of all tensors of a block, by name.
inline std::map<std::string, std::vector<float>> tensors_of(const Block& block) {
  std::map<std::string, std::vector<float>> tensors;
  for (const Parameters::Info& info : block.parameters().tensors()) {
    int64_t count = 1;
    for (const int64_t dimension : info.dimensions) count *= dimension;
    std::vector<float>& values = tensors[info.name];
    values.resize(static_cast<size_t>(count));
    block.parameters().read(info.name, values.data(), count);
  }
  return tensors;
}

}  // namespace layerwise::testing
