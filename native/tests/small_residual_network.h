// A small residual network: two preactivation blocks with a projected shortcut, a head and an output layer.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "block/head.h"
#include "block/preactivation_block.h"
#include "block_support.h"

namespace layerwise::testing {

/// A 3×3 preactivation block with 5 output channels, predsim over 3 classes, with everything on.
inline PreactivationBlockConfig small_preactivation_block(uint32_t index, const Shape& input,
                                                          const layerwise_optimizer& optimizer) {
  PreactivationBlockConfig config;
  config.name = "block" + std::to_string(index);
  config.index = index;
  config.input = input;
  config.out_channels = 5;
  config.convolution = {3, 3, 1, 1};
  config.negative_slope = 0.01;
  config.input_dropout = 0.2;
  config.dropout = 0.25;
  config.loss.dim_in_decoder = 20;
  config.loss.classes = 3;
  config.optimizer = optimizer;
  return config;
}

struct SmallResidualNetworkConfig {
  /// For images of 8×8 positions and 4 channels, in 3 classes. local_losses: the blocks have their own losses, too.
  SmallResidualNetworkConfig(bool local_losses, const layerwise_optimizer& optimizer)
      : first(small_preactivation_block(0, {1, 8, 8, 4}, optimizer)),
        second(small_preactivation_block(1, {1, 8, 8, 5}, optimizer)) {
    second.convolution.stride = 2;
    if (!local_losses) first.loss.loss = second.loss.loss = LocalLoss::none;
    projection.name = "shortcut";
    projection.index = 2;
    projection.input = {1, 8, 8, 4};
    projection.out_channels = 5;
    projection.convolution = {1, 1, 2, 0};
    projection.bias = false;
    projection.negative_slope = 1;
    projection.loss.loss = LocalLoss::none;
    projection.optimizer = optimizer;
    head.name = "head";
    head.index = 3;
    head.input = {1, 4, 4, 5};
    head.batch_norm = true;
    head.average_pool = 2;
    head.optimizer = optimizer;
    output.name = "linear";
    output.index = 4;
    output.input = {1, 2, 2, 5};
    output.classes = 3;
    output.zero_start = false;
    output.optimizer = optimizer;
  }

  PreactivationBlockConfig first, second;
  LocalBlockConfig projection;
  HeadConfig head;
  OutputLayerConfig output;
};

struct SmallResidualNetwork {
  SmallResidualNetwork(const std::shared_ptr<Context>& context, const SmallResidualNetworkConfig& config)
      : first(context, config.first), second(context, config.second), projection(context, config.projection),
        head(context, config.head), output(context, config.output) {}

  struct Passed {
    Activation logits;
    PassedOn below;  // the gradient at the images, if it was wanted
  };

  /// A step of backpropagation through all blocks, whose own losses take part.
  Passed train_step(const Activation& x, const Labels& labels, bool want_d_input) {
    const Activation shortcut = projection.forward(x, {}, {});
    const Activation h1 = first.forward(x, labels, {});
    const Activation h2 = second.forward(h1, labels, *shortcut);
    const Activation pooled = head.forward(h2, {}, {});
    const Activation logits = output.forward(pooled, labels, {});
    const PassedOn d_pooled = output.backward({}, true, false);
    const PassedOn d2 = head.backward(d_pooled.d_input, true, false);
    const PassedOn d1 = second.backward(d2.d_input, true, true);
    projection.backward(d1.d_shortcut, false, false);
    return {logits, first.backward(d1.d_input, want_d_input, false)};
  }

  std::array<Block*, 5> blocks() { return {&first, &second, &projection, &head, &output}; }

  PreactivationBlock first, second;
  LocalBlock projection;
  Head head;
  OutputLayer output;
};

}  // namespace layerwise::testing
