// The C API as another language sees it: statuses, messages, lifetimes.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "layerwise.h"

namespace {

struct Closer {
  void operator()(layerwise_context* context) const { layerwise_context_close(context); }
  void operator()(layerwise_block* block) const { layerwise_block_close(block); }
  void operator()(layerwise_tensor* tensor) const { layerwise_tensor_close(tensor); }
  void operator()(layerwise_dataset* dataset) const { layerwise_dataset_close(dataset); }
};
template <class T>
using Handle = std::unique_ptr<T, Closer>;

std::string message() { return layerwise_error_message(); }

layerwise_status create_on(const char* device, layerwise_context** context) {
  layerwise_context_options options;
  layerwise_context_options_defaults(&options);
  options.device = device;
  options.threads = 2;
  options.seed = 1;
  return layerwise_context_create(&options, context);
}

Handle<layerwise_context> make_context(const char* device = "cpu") {
  layerwise_context* context = nullptr;
  EXPECT_EQ(create_on(device, &context), LAYERWISE_OK) << message();
  return Handle<layerwise_context>(context);
}

layerwise_block_config convolution_config() {
  layerwise_block_config config;
  layerwise_block_config_defaults(&config);
  config.name = "features.0";
  config.geometry.in_channels = 3;
  config.geometry.in_height = config.geometry.in_width = 8;
  config.geometry.out_channels = 6;
  config.losses.classes = 4;
  return config;
}

Handle<layerwise_block> make_block(layerwise_context* context, const layerwise_block_config& config) {
  layerwise_block* block = nullptr;
  EXPECT_EQ(layerwise_block_create(context, &config, &block), LAYERWISE_OK) << message();
  return Handle<layerwise_block>(block);
}

Handle<layerwise_tensor> make_images(layerwise_context* context, int64_t n, int64_t c, int64_t side) {
  const std::vector<float> values(static_cast<size_t>(n * c * side * side), 0.5f);
  layerwise_tensor* tensor = nullptr;
  EXPECT_EQ(layerwise_tensor_create(context, values.data(), n, c, side, side, &tensor), LAYERWISE_OK) << message();
  return Handle<layerwise_tensor>(tensor);
}

Handle<layerwise_tensor> make_labels(layerwise_context* context, const std::vector<int32_t>& labels) {
  layerwise_tensor* tensor = nullptr;
  EXPECT_EQ(layerwise_labels_create(context, labels.data(), static_cast<int64_t>(labels.size()), &tensor), LAYERWISE_OK)
      << message();
  return Handle<layerwise_tensor>(tensor);
}

TEST(Api, says_which_device_it_does_not_know) {
  layerwise_context* context = nullptr;
  EXPECT_EQ(create_on("tpu", &context), LAYERWISE_DEVICE_UNAVAILABLE);
  EXPECT_EQ(context, nullptr);
  EXPECT_NE(message().find("'tpu'"), std::string::npos) << message();
}

TEST(Api, survives_null_everywhere) {
  EXPECT_EQ(layerwise_context_create(nullptr, nullptr), LAYERWISE_INVALID_ARGUMENT);
  EXPECT_EQ(layerwise_context_set_step(nullptr, 0, 0), LAYERWISE_INVALID_ARGUMENT);
  EXPECT_EQ(layerwise_tensor_read(nullptr, nullptr, 0), LAYERWISE_INVALID_ARGUMENT);
  EXPECT_EQ(layerwise_block_create(nullptr, nullptr, nullptr), LAYERWISE_INVALID_ARGUMENT);
  EXPECT_EQ(layerwise_block_train_step(nullptr, nullptr, nullptr, nullptr, nullptr, nullptr), LAYERWISE_INVALID_ARGUMENT);
  EXPECT_EQ(layerwise_block_metrics(nullptr, nullptr), LAYERWISE_INVALID_ARGUMENT);
  EXPECT_EQ(layerwise_block_tensor_read(nullptr, nullptr, nullptr, 0), LAYERWISE_INVALID_ARGUMENT);
  EXPECT_EQ(layerwise_dataset_batch(nullptr, nullptr, nullptr, nullptr), LAYERWISE_INVALID_ARGUMENT);
  EXPECT_EQ(layerwise_block_inspection_count(nullptr, nullptr, nullptr), LAYERWISE_INVALID_ARGUMENT);
  layerwise_block_config_defaults(nullptr);
  layerwise_context_close(nullptr);
  layerwise_tensor_close(nullptr);
  layerwise_block_close(nullptr);
  layerwise_dataset_close(nullptr);
}

TEST(Api, messages_name_the_block_and_the_shapes) {
  const auto context = make_context();
  const auto block = make_block(context.get(), convolution_config());
  const auto images = make_images(context.get(), 4, 3, 7);
  const auto labels = make_labels(context.get(), {0, 1, 2, 3});
  layerwise_tensor* output = nullptr;
  EXPECT_EQ(layerwise_block_train_step(block.get(), images.get(), labels.get(), nullptr, &output, nullptr),
            LAYERWISE_INVALID_ARGUMENT);
  EXPECT_EQ(output, nullptr);
  EXPECT_EQ(message(), "features.0: the input is 4×3×7×7, but the block takes 4×3×8×8");
}

/// Images of one row of two pixels, the right one brighter; all of them are chosen.
layerwise_dataset* make_rising_pairs(layerwise_context* context, int32_t count) {
  std::vector<uint8_t> pixels;
  std::vector<int32_t> labels, chosen;
  for (int32_t i = 0; i < count; ++i) {
    pixels.insert(pixels.end(), {10, 200});
    labels.push_back(i % 2);
    chosen.push_back(i);
  }
  const float mean = 0.5f, deviation = 0.25f;
  layerwise_dataset* data = nullptr;
  EXPECT_EQ(layerwise_dataset_create(context, pixels.data(), labels.data(), count, 1, 1, 2, 2, &mean, &deviation, 0, &data),
            LAYERWISE_OK);
  EXPECT_EQ(layerwise_dataset_choose(data, chosen.data(), count), LAYERWISE_OK);
  return data;
}

TEST(Api, refuses_what_cannot_work) {
  const auto context = make_context();
  const auto refused = [&](auto change, const char* part) {
    layerwise_block_config config = convolution_config();
    change(config);
    layerwise_block* block = nullptr;
    EXPECT_EQ(layerwise_block_create(context.get(), &config, &block), LAYERWISE_INVALID_ARGUMENT) << part;
    EXPECT_EQ(block, nullptr);
    EXPECT_EQ(message().rfind("features.0: ", 0), 0u) << message();
    EXPECT_NE(message().find(part), std::string::npos) << message();
  };
  refused([](auto& c) { c.kind = 7; }, "kind of block 7");
  refused([](auto& c) { c.losses.loss = -1; }, "loss -1");
  refused([](auto& c) { c.optimizer.optim = 4; }, "optimizer 4");
  refused([](auto& c) { c.geometry.in_channels = 0; }, "0×8×8");
  refused([](auto& c) { c.geometry.out_channels = -5; }, "-5");
  refused([](auto& c) { c.dropout = 1; }, "dropout");
  refused([](auto& c) { c.dropout = std::numeric_limits<double>::quiet_NaN(); }, "dropout");
  refused([](auto& c) { c.losses.beta = 1.5; }, "beta");
  refused([](auto& c) { c.losses.label_smoothing = 1; }, "label smoothing must be in [0, 1), not 1");
  refused([](auto& c) { c.losses.label_smoothing = std::numeric_limits<double>::quiet_NaN(); }, "label smoothing");
  refused([](auto& c) { c.kind = LAYERWISE_OUTPUT, c.losses.label_smoothing = -0.5; }, "label smoothing");
  refused([](auto& c) { c.losses.bio = 1, c.losses.label_smoothing = 0.1; }, "under bio they are binary");
  refused([](auto& c) { c.losses.classes = 1; }, "classes");
  refused([](auto& c) { c.geometry.kernel = 11; }, "does not fit");
  refused([](auto& c) { c.geometry.stride = 0; }, "stride");
  refused([](auto& c) { c.geometry.in_height = c.geometry.in_width = 1, c.max_pool = 1; }, "leaves nothing");
  refused([](auto& c) { c.optimizer.weight_decay = -1; }, "weight decay");
  refused([](auto& c) { c.optimizer.momentum = 1; }, "momentum");
  refused([](auto& c) { c.losses.dim_in_decoder = 0; }, "dim_in_decoder");
}

TEST(Api, flips_and_epochs_that_there_are_not_are_refused) {
  const auto context = make_context();
  EXPECT_EQ(layerwise_context_set_epoch(context.get(), 0), LAYERWISE_INVALID_ARGUMENT);
  EXPECT_EQ(message(), "epochs are counted from 1");
  EXPECT_EQ(layerwise_context_set_epoch(context.get(), 2), LAYERWISE_OK);
  layerwise_dataset* const data = make_rising_pairs(context.get(), 2);
  const layerwise_augmentation augmentation{0, 3, 0, 0, 0, 0};
  layerwise_tensor *images = nullptr, *classes = nullptr;
  EXPECT_EQ(layerwise_dataset_batch(data, &augmentation, &images, &classes), LAYERWISE_INVALID_ARGUMENT);
  EXPECT_EQ(message(), "horizontal_flip must be 0, 1 or 2, not 3");
  layerwise_dataset_close(data);
}

TEST(Api, alternating_flips_show_every_image_both_ways_in_two_epochs) {
  const auto context = make_context();
  const int count = 64;
  layerwise_dataset* const data = make_rising_pairs(context.get(), count);
  const layerwise_augmentation augmentation{0, 2, 0, 0, 0, 0};
  std::vector<bool> flipped[3];  // by image, in each epoch
  for (uint64_t epoch = 1; epoch <= 3; ++epoch) {
    EXPECT_EQ(layerwise_context_set_epoch(context.get(), epoch), LAYERWISE_OK);
    std::vector<bool>& of = flipped[epoch - 1];
    of.resize(count);
    for (int batch = 0; batch < 4; ++batch) {
      EXPECT_EQ(layerwise_context_set_step(context.get(), 4 * epoch + static_cast<uint64_t>(batch), 0), LAYERWISE_OK);
      std::vector<int32_t> chosen;  // in another order in each epoch
      for (int i = 0; i < 16; ++i) chosen.push_back((batch * 16 + i) * (2 * static_cast<int>(epoch) + 1) % count);
      EXPECT_EQ(layerwise_dataset_choose(data, chosen.data(), 16), LAYERWISE_OK);
      layerwise_tensor *images = nullptr, *classes = nullptr;
      ASSERT_EQ(layerwise_dataset_batch(data, &augmentation, &images, &classes), LAYERWISE_OK);
      float values[2 * 16];
      EXPECT_EQ(layerwise_tensor_read(images, values, 2 * 16), LAYERWISE_OK);
      for (size_t i = 0; i < 16; ++i) of[static_cast<size_t>(chosen[i])] = values[2 * i] > values[2 * i + 1];
      layerwise_tensor_close(images);
      layerwise_tensor_close(classes);
    }
  }
  layerwise_dataset_close(data);
  for (size_t image = 0; image < count; ++image) EXPECT_NE(flipped[0][image], flipped[1][image]) << image;
  EXPECT_EQ(flipped[0], flipped[2]);
  const auto in_first = std::count(flipped[0].begin(), flipped[0].end(), true);
  EXPECT_TRUE(in_first > 12 && in_first < 52) << in_first;  // five standard deviations of a fair coin: 20
}

TEST(Api, mixed_images_have_shares_of_classes_as_labels) {
  const auto context = make_context();
  layerwise_dataset* const data = make_rising_pairs(context.get(), 3);
  layerwise_augmentation augmentation{0, 0, 0, 0, 1, 0};
  layerwise_tensor *images = nullptr, *classes = nullptr;
  ASSERT_EQ(layerwise_dataset_batch(data, &augmentation, &images, &classes), LAYERWISE_OK) << message();
  const Handle<layerwise_tensor> mixed(images), shares(classes);
  int64_t shape[4];
  EXPECT_EQ(layerwise_tensor_shape(classes, shape), LAYERWISE_OK);
  EXPECT_EQ(shape[0], 3);
  EXPECT_EQ(shape[1], 2);
  float values[6];
  EXPECT_EQ(layerwise_tensor_read(classes, values, 6), LAYERWISE_OK);
  for (int n = 0; n < 3; ++n) EXPECT_EQ(values[2 * n] + values[2 * n + 1], 1);

  layerwise_block_config config = convolution_config();
  config.kind = LAYERWISE_LINEAR;
  config.geometry.in_channels = config.geometry.in_height = 1;
  config.geometry.in_width = 2;
  config.losses.classes = 2;
  layerwise_tensor* output = nullptr;
  ASSERT_EQ(layerwise_block_train_step(make_block(context.get(), config).get(), images, classes, nullptr, &output, nullptr),
            LAYERWISE_OK)
      << message();
  layerwise_tensor_close(output);
  const auto refused = [&](const layerwise_tensor* labels, const char* why) {
    layerwise_tensor* none = nullptr;
    EXPECT_EQ(layerwise_block_train_step(make_block(context.get(), config).get(), images, labels, nullptr, &none, nullptr),
              LAYERWISE_INVALID_ARGUMENT);
    EXPECT_EQ(message(), std::string("features.0: ") + why);
  };
  refused(images, "the labels are not a tensor of labels");
  config.losses.bio = 1;
  refused(classes, "labels of mixed images are shares of classes; under bio targets are codes of one");
  config.losses.bio = 0;
  config.losses.classes = 3;
  refused(classes, "the mixed labels are of 2 classes, but the block has 3");

  augmentation.cutmix = -1;
  layerwise_tensor *no_images = nullptr, *no_classes = nullptr;
  EXPECT_EQ(layerwise_dataset_batch(data, &augmentation, &no_images, &no_classes), LAYERWISE_INVALID_ARGUMENT);
  EXPECT_EQ(message(), "the alphas of mixup and cutmix must not be negative, but are 1 and -1");
  layerwise_dataset_close(data);
}

TEST(Api, labels_that_the_block_has_no_class_for_are_refused) {
  const auto context = make_context();
  const auto block = make_block(context.get(), convolution_config());
  const auto images = make_images(context.get(), 2, 3, 8);
  const auto labels = make_labels(context.get(), {0, 4});
  const auto too_few = make_labels(context.get(), {0});
  layerwise_tensor* output = nullptr;
  EXPECT_EQ(layerwise_block_train_step(block.get(), images.get(), labels.get(), nullptr, &output, nullptr),
            LAYERWISE_INVALID_ARGUMENT);
  EXPECT_NE(message().find("4 classes"), std::string::npos) << message();
  EXPECT_EQ(layerwise_block_train_step(block.get(), images.get(), too_few.get(), nullptr, &output, nullptr),
            LAYERWISE_INVALID_ARGUMENT);
  EXPECT_EQ(layerwise_block_train_step(block.get(), images.get(), images.get(), nullptr, &output, nullptr),
            LAYERWISE_INVALID_ARGUMENT);
  EXPECT_EQ(layerwise_block_train_step(block.get(), images.get(), nullptr, nullptr, &output, nullptr),
            LAYERWISE_INVALID_ARGUMENT);
  const int32_t negative[] = {0, -1};
  layerwise_tensor* tensor = nullptr;
  EXPECT_EQ(layerwise_labels_create(context.get(), negative, 2, &tensor), LAYERWISE_INVALID_ARGUMENT);
}

TEST(Api, tensors_of_another_context_are_refused) {
  const auto context = make_context(), other = make_context();
  const auto block = make_block(context.get(), convolution_config());
  const auto images = make_images(other.get(), 2, 3, 8);
  const auto labels = make_labels(context.get(), {0, 1});
  layerwise_tensor* output = nullptr;
  EXPECT_EQ(layerwise_block_train_step(block.get(), images.get(), labels.get(), nullptr, &output, nullptr),
            LAYERWISE_INVALID_ARGUMENT);
  EXPECT_NE(message().find("another context"), std::string::npos);
}

TEST(Api, local_logits_are_those_that_evaluation_judges) {
  const auto context = make_context();
  layerwise_block_config config = convolution_config();
  config.max_pool = 1;
  config.losses.dim_in_decoder = 24;  // pooled, too
  const auto block = make_block(context.get(), config);
  std::vector<float> weight(4 * 24), pixels(5 * 3 * 8 * 8);
  for (size_t i = 0; i < weight.size(); ++i) weight[i] = static_cast<float>(i * 7 % 11) - 5;
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(i * 13 % 29) / 29 - 0.5f;
  ASSERT_EQ(layerwise_block_tensor_write(block.get(), "decoder_y.weight", weight.data(), 4 * 24), LAYERWISE_OK)
      << message();
  layerwise_tensor* tensor = nullptr;
  ASSERT_EQ(layerwise_tensor_create(context.get(), pixels.data(), 5, 3, 8, 8, &tensor), LAYERWISE_OK);
  const Handle<layerwise_tensor> images(tensor);
  ASSERT_EQ(layerwise_block_local_logits(block.get(), images.get(), nullptr, nullptr, &tensor, nullptr), LAYERWISE_OK)
      << message();
  const Handle<layerwise_tensor> logits(tensor);
  std::vector<float> values(5 * 4);
  ASSERT_EQ(layerwise_tensor_read(logits.get(), values.data(), 5 * 4), LAYERWISE_OK) << message();
  std::vector<int32_t> predicted;
  for (auto row = values.begin(); row != values.end(); row += 4)
    predicted.push_back(static_cast<int32_t>(std::max_element(row, row + 4) - row));
  const auto errors = [&](const std::vector<int32_t>& of) {
    const auto labels = make_labels(context.get(), of);
    EXPECT_EQ(layerwise_block_evaluate(block.get(), images.get(), labels.get(), nullptr, &tensor), LAYERWISE_OK);
    const Handle<layerwise_tensor> output(tensor);
    layerwise_metrics metrics;
    EXPECT_EQ(layerwise_block_metrics(block.get(), &metrics), LAYERWISE_OK);
    return metrics.errors;
  };
  EXPECT_EQ(errors(predicted), 0);
  for (int32_t& label : predicted) label = (label + 1) % 4;
  EXPECT_EQ(errors(predicted), 5);
}

TEST(Api, local_logits_and_the_output_come_from_one_pass) {
  const auto context = make_context();
  layerwise_block_config config = convolution_config();
  config.max_pool = 1;
  const auto block = make_block(context.get(), config);
  std::vector<float> pixels(5 * 3 * 8 * 8), weight(4 * 6 * 8 * 8);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<float>(i * 13 % 29) / 29 - 0.5f;
  for (size_t i = 0; i < weight.size(); ++i) weight[i] = static_cast<float>(i * 7 % 11) / 11 - 0.5f;
  ASSERT_EQ(layerwise_block_tensor_write(block.get(), "decoder_y.weight", weight.data(), 4 * 6 * 8 * 8), LAYERWISE_OK)
      << message();
  layerwise_tensor* tensor = nullptr;
  ASSERT_EQ(layerwise_tensor_create(context.get(), pixels.data(), 5, 3, 8, 8, &tensor), LAYERWISE_OK);
  const Handle<layerwise_tensor> images(tensor);
  const auto labels = make_labels(context.get(), {0, 1, 2, 3, 0});
  const auto read = [](const Handle<layerwise_tensor>& from, size_t count) {
    std::vector<float> values(count);
    EXPECT_EQ(layerwise_tensor_read(from.get(), values.data(), static_cast<int64_t>(count)), LAYERWISE_OK) << message();
    return values;
  };
  const auto metrics = [&] {
    layerwise_metrics sums;
    EXPECT_EQ(layerwise_block_metrics(block.get(), &sums), LAYERWISE_OK);
    return std::vector<double>{sums.prediction_loss, sums.errors, sums.samples};
  };
  ASSERT_EQ(layerwise_block_evaluate(block.get(), images.get(), labels.get(), nullptr, &tensor), LAYERWISE_OK);
  const Handle<layerwise_tensor> expected_output(tensor);
  const std::vector<double> expected_metrics = metrics();
  EXPECT_GT(expected_metrics[0], 0);
  ASSERT_EQ(layerwise_block_local_logits(block.get(), images.get(), nullptr, nullptr, &tensor, nullptr), LAYERWISE_OK);
  const Handle<layerwise_tensor> expected_logits(tensor);
  EXPECT_EQ(metrics(), std::vector<double>(3, 0));  // nothing is measured without labels

  layerwise_tensor* second = nullptr;
  ASSERT_EQ(layerwise_block_local_logits(block.get(), images.get(), labels.get(), nullptr, &tensor, &second), LAYERWISE_OK)
      << message();
  const Handle<layerwise_tensor> logits(tensor), output(second);
  EXPECT_EQ(read(logits, 5 * 4), read(expected_logits, 5 * 4));
  EXPECT_EQ(read(output, 5 * 6 * 4 * 4), read(expected_output, 5 * 6 * 4 * 4));
  EXPECT_EQ(metrics(), expected_metrics);
}

TEST(Api, local_logits_need_a_classifier_of_the_labels) {
  const auto context = make_context();
  const auto images = make_images(context.get(), 2, 3, 8);
  const auto refused = [&](auto change, const char* part) {
    layerwise_block_config config = convolution_config();
    change(config);
    const auto block = make_block(context.get(), config);
    layerwise_tensor* logits = nullptr;
    EXPECT_EQ(layerwise_block_local_logits(block.get(), images.get(), nullptr, nullptr, &logits, nullptr),
              LAYERWISE_INVALID_ARGUMENT);
    EXPECT_EQ(logits, nullptr);
    EXPECT_NE(message().find(part), std::string::npos) << message();
  };
  refused([](auto& c) { c.losses.loss = LAYERWISE_LOSS_NONE; }, "no local loss");
  refused([](auto& c) { c.losses.loss = LAYERWISE_LOSS_SIM; }, "trains no local classifier");
  refused([](auto& c) { c.losses.bio = 1; }, "projected binary targets");
  refused([](auto& c) { c.kind = LAYERWISE_SHORTCUT, c.losses.loss = LAYERWISE_LOSS_NONE; }, "no local");
}

TEST(Api, backward_needs_a_forward) {
  const auto context = make_context();
  layerwise_block_config config = convolution_config();
  config.losses.loss = LAYERWISE_LOSS_NONE;
  const auto block = make_block(context.get(), config);
  const auto gradient = make_images(context.get(), 2, 6, 8);
  layerwise_tensor* d_input = nullptr;
  EXPECT_EQ(layerwise_block_backward(block.get(), gradient.get(), &d_input, nullptr), LAYERWISE_INVALID_STATE);
  const auto local = make_block(context.get(), convolution_config());
  const auto images = make_images(context.get(), 2, 3, 8);
  layerwise_tensor* output = nullptr;
  EXPECT_EQ(layerwise_block_forward(local.get(), images.get(), nullptr, nullptr, &output), LAYERWISE_INVALID_ARGUMENT)
      << "a local loss needs labels";
}

TEST(Api, backward_takes_no_gradient_where_there_is_a_local_loss) {
  const auto context = make_context();
  layerwise_block_config config = convolution_config();
  const auto images = make_images(context.get(), 2, 3, 8);
  const auto labels = make_labels(context.get(), {0, 1});
  layerwise_tensor* output = nullptr;
  layerwise_tensor* d_input = nullptr;
  const auto local = make_block(context.get(), config);
  ASSERT_EQ(layerwise_block_forward(local.get(), images.get(), labels.get(), nullptr, &output), LAYERWISE_OK);
  layerwise_tensor_close(output);
  EXPECT_EQ(layerwise_block_backward(local.get(), nullptr, &d_input, nullptr), LAYERWISE_OK) << message();
  EXPECT_NE(d_input, nullptr);
  layerwise_tensor_close(d_input);
  config.losses.loss = LAYERWISE_LOSS_NONE;
  const auto without = make_block(context.get(), config);
  ASSERT_EQ(layerwise_block_forward(without.get(), images.get(), nullptr, nullptr, &output), LAYERWISE_OK);
  layerwise_tensor_close(output);
  EXPECT_EQ(layerwise_block_backward(without.get(), nullptr, &d_input, nullptr), LAYERWISE_INVALID_ARGUMENT);
  EXPECT_NE(message().find("needs the gradient at its output"), std::string::npos) << message();
  EXPECT_EQ(d_input, nullptr);
}

TEST(Api, only_the_output_layer_does_both_halves_of_a_step_at_once) {
  const auto context = make_context();
  const auto images = make_images(context.get(), 2, 3, 8);
  const auto labels = make_labels(context.get(), {0, 1});
  layerwise_block_config config = convolution_config();
  layerwise_tensor* result = nullptr;
  const auto refused = [](layerwise_status status, const char* part) {
    EXPECT_EQ(status, LAYERWISE_INVALID_ARGUMENT);
    EXPECT_NE(message().find(part), std::string::npos) << message();
  };
  const auto hidden = make_block(context.get(), config);
  refused(layerwise_block_output_train_step(hidden.get(), images.get(), labels.get(), &result), "only an output layer");
  config.kind = LAYERWISE_OUTPUT;
  const auto output = make_block(context.get(), config);
  refused(layerwise_block_forward(output.get(), images.get(), labels.get(), nullptr, &result), "output_train_step");
  refused(layerwise_block_backward(output.get(), images.get(), &result, nullptr), "output_train_step");
  EXPECT_EQ(result, nullptr);
  ASSERT_EQ(layerwise_block_output_train_step(output.get(), images.get(), labels.get(), &result), LAYERWISE_OK) << message();
  const Handle<layerwise_tensor> gradient(result);
  int64_t shape[4];
  ASSERT_EQ(layerwise_tensor_shape(result, shape), LAYERWISE_OK);
  EXPECT_EQ(std::vector<int64_t>(shape, shape + 4), (std::vector<int64_t>{2, 3, 8, 8}));
}

TEST(Api, heads_and_output_layers_take_no_shortcut) {
  const auto context = make_context();
  const auto images = make_images(context.get(), 2, 3, 8);
  for (const layerwise_block_kind kind : {LAYERWISE_HEAD, LAYERWISE_OUTPUT}) {
    layerwise_block_config config = convolution_config();
    config.kind = kind;
    const auto block = make_block(context.get(), config);
    layerwise_tensor* output = nullptr;
    EXPECT_EQ(layerwise_block_evaluate(block.get(), images.get(), nullptr, images.get(), &output),
              LAYERWISE_INVALID_ARGUMENT);
    EXPECT_NE(message().find("takes no shortcut"), std::string::npos) << message();
  }
}

TEST(Api, handles_close_in_any_order) {
  auto context = make_context();
  auto block = make_block(context.get(), convolution_config());
  auto images = make_images(context.get(), 2, 3, 8);
  auto labels = make_labels(context.get(), {0, 1});
  layerwise_tensor* output = nullptr;
  ASSERT_EQ(layerwise_block_train_step(block.get(), images.get(), labels.get(), nullptr, &output, nullptr), LAYERWISE_OK)
      << message();
  Handle<layerwise_tensor> owned(output);
  context.reset();
  block.reset();
  std::vector<float> values(2 * 6 * 8 * 8);
  EXPECT_EQ(layerwise_tensor_read(owned.get(), values.data(), static_cast<int64_t>(values.size())), LAYERWISE_OK);
  images.reset();
  owned.reset();
  labels.reset();
}

TEST(Api, tensors_keep_their_values_and_order) {
  const auto context = make_context();
  std::vector<float> values;
  for (int i = 0; i < 2 * 3 * 4 * 5; ++i) values.push_back(static_cast<float>(i));
  layerwise_tensor* tensor = nullptr;
  ASSERT_EQ(layerwise_tensor_create(context.get(), values.data(), 2, 3, 4, 5, &tensor), LAYERWISE_OK);
  const Handle<layerwise_tensor> owned(tensor);
  int64_t shape[4];
  ASSERT_EQ(layerwise_tensor_shape(tensor, shape), LAYERWISE_OK);
  EXPECT_EQ(std::vector<int64_t>(shape, shape + 4), (std::vector<int64_t>{2, 3, 4, 5}));
  std::vector<float> read(values.size());
  ASSERT_EQ(layerwise_tensor_read(tensor, read.data(), static_cast<int64_t>(read.size())), LAYERWISE_OK);
  EXPECT_EQ(read, values);
  EXPECT_EQ(layerwise_tensor_read(tensor, read.data(), 7), LAYERWISE_INVALID_ARGUMENT);
}

TEST(Api, parameters_can_be_listed_read_and_written) {
  const auto context = make_context();
  const auto block = make_block(context.get(), convolution_config());
  int32_t count = 0;
  ASSERT_EQ(layerwise_block_tensor_count(block.get(), &count), LAYERWISE_OK);
  std::string names;
  for (int32_t i = 0; i < count; ++i) {
    layerwise_tensor_info info;
    ASSERT_EQ(layerwise_block_tensor_info(block.get(), i, &info), LAYERWISE_OK);
    if (info.role != LAYERWISE_OPTIMIZER_STATE) names += std::string(info.name) + " ";
    int64_t elements = 1;
    for (int32_t d = 0; d < info.rank; ++d) elements *= info.shape[d];
    std::vector<float> values(static_cast<size_t>(elements)), read(values.size());
    for (size_t k = 0; k < values.size(); ++k) values[k] = static_cast<float>(k) - 3;
    ASSERT_EQ(layerwise_block_tensor_write(block.get(), info.name, values.data(), elements), LAYERWISE_OK) << message();
    ASSERT_EQ(layerwise_block_tensor_read(block.get(), info.name, read.data(), elements), LAYERWISE_OK) << message();
    EXPECT_EQ(read, values) << info.name;
  }
  EXPECT_EQ(names,
            "encoder.weight encoder.bias bn.weight bn.bias bn.running_mean bn.running_var decoder_y.weight "
            "decoder_y.bias conv_loss.weight ");
  float value = 0;
  EXPECT_EQ(layerwise_block_tensor_read(block.get(), "nonsense", &value, 1), LAYERWISE_INVALID_ARGUMENT);
  EXPECT_EQ(layerwise_block_tensor_read(block.get(), "bn.bias", &value, 1), LAYERWISE_INVALID_ARGUMENT);
  layerwise_tensor_info info;
  EXPECT_EQ(layerwise_block_tensor_info(block.get(), count, &info), LAYERWISE_INVALID_ARGUMENT);
}

TEST(Api, data_sets_check_labels_and_indices) {
  const auto context = make_context();
  const std::vector<uint8_t> pixels(2 * 3 * 4 * 4, 255);
  const float mean[] = {0.5f, 0.5f, 0.5f}, deviation[] = {0.5f, 0.5f, 0.5f}, zero[] = {0.5f, 0, 0.5f};
  const int32_t good[] = {0, 1}, bad[] = {0, 2};
  layerwise_dataset* dataset = nullptr;
  EXPECT_EQ(layerwise_dataset_create(context.get(), pixels.data(), bad, 2, 3, 4, 4, 2, mean, deviation, 0, &dataset),
            LAYERWISE_INVALID_ARGUMENT);
  EXPECT_EQ(layerwise_dataset_create(context.get(), pixels.data(), good, 2, 3, 4, 4, 2, mean, zero, 0, &dataset),
            LAYERWISE_INVALID_ARGUMENT);
  ASSERT_EQ(layerwise_dataset_create(context.get(), pixels.data(), good, 2, 3, 4, 4, 2, mean, deviation, 0, &dataset),
            LAYERWISE_OK)
      << message();
  const Handle<layerwise_dataset> owned(dataset);
  layerwise_tensor *images = nullptr, *labels = nullptr;
  const int32_t out_of_range[] = {2}, both[] = {1, 0};
  EXPECT_EQ(layerwise_dataset_batch(dataset, nullptr, &images, &labels), LAYERWISE_INVALID_STATE);
  EXPECT_EQ(layerwise_dataset_choose(dataset, out_of_range, 1), LAYERWISE_INVALID_ARGUMENT);
  ASSERT_EQ(layerwise_dataset_choose(dataset, both, 2), LAYERWISE_OK) << message();
  ASSERT_EQ(layerwise_dataset_batch(dataset, nullptr, &images, &labels), LAYERWISE_OK) << message();
  const Handle<layerwise_tensor> owned_images(images), owned_labels(labels);
  std::vector<float> values(pixels.size()), read_labels(2);
  ASSERT_EQ(layerwise_tensor_read(images, values.data(), static_cast<int64_t>(values.size())), LAYERWISE_OK);
  EXPECT_EQ(values, std::vector<float>(pixels.size(), 1.0f));  // (255/255 − 0.5) / 0.5
  ASSERT_EQ(layerwise_tensor_read(labels, read_labels.data(), 2), LAYERWISE_OK);
  EXPECT_EQ(read_labels, (std::vector<float>{1, 0}));
}

TEST(Api, data_sets_use_pixels_where_they_are_if_they_may) {
  const auto context = make_context();
  const float mean[] = {0, 0, 0}, deviation[] = {1, 1, 1};
  const int32_t class_numbers[] = {0, 1}, second[] = {1};
  for (const int32_t in_place : {0, 1}) {
    std::vector<uint8_t> pixels(2 * 3, 255);
    layerwise_dataset* dataset = nullptr;
    ASSERT_EQ(layerwise_dataset_create(context.get(), pixels.data(), class_numbers, 2, 3, 1, 1, 2, mean, deviation,
                                       in_place, &dataset),
              LAYERWISE_OK)
        << message();
    const Handle<layerwise_dataset> owned(dataset);
    pixels[4] = 0;
    layerwise_tensor *images = nullptr, *labels = nullptr;
    ASSERT_EQ(layerwise_dataset_choose(dataset, second, 1), LAYERWISE_OK);
    ASSERT_EQ(layerwise_dataset_batch(dataset, nullptr, &images, &labels), LAYERWISE_OK) << message();
    const Handle<layerwise_tensor> owned_images(images), owned_labels(labels);
    float values[] = {-1, -1, -1};
    ASSERT_EQ(layerwise_tensor_read(images, values, 3), LAYERWISE_OK);
    EXPECT_EQ(values[0], 1.0f);
    EXPECT_EQ(values[1], in_place ? 0.0f : 1.0f);
    EXPECT_EQ(values[2], 1.0f);
  }
}

TEST(Api, data_sets_in_place_keep_the_order_of_channels) {
  const auto context = make_context();
  const float mean[] = {0, 0, 0}, deviation[] = {1, 1, 1};
  const int32_t class_numbers[] = {0, 1}, both[] = {1, 0};
  std::vector<uint8_t> pixels(2 * 3 * 2 * 2);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i);
  for (const int32_t in_place : {0, 1}) {
    layerwise_dataset* dataset = nullptr;
    ASSERT_EQ(layerwise_dataset_create(context.get(), pixels.data(), class_numbers, 2, 3, 2, 2, 2, mean, deviation,
                                       in_place, &dataset),
              LAYERWISE_OK)
        << message();
    const Handle<layerwise_dataset> owned(dataset);
    layerwise_tensor *images = nullptr, *labels = nullptr;
    ASSERT_EQ(layerwise_dataset_choose(dataset, both, 2), LAYERWISE_OK);
    ASSERT_EQ(layerwise_dataset_batch(dataset, nullptr, &images, &labels), LAYERWISE_OK) << message();
    const Handle<layerwise_tensor> owned_images(images), owned_labels(labels);
    std::vector<float> values(pixels.size());
    ASSERT_EQ(layerwise_tensor_read(images, values.data(), static_cast<int64_t>(values.size())), LAYERWISE_OK);
    for (size_t i = 0; i < values.size(); ++i) {  // the device may round to bfloat16
      const float expected = static_cast<float>(pixels[(i + 12) % 24]) / 255;
      EXPECT_NEAR(values[i], expected, expected / 256) << "in place: " << in_place;
    }
  }
}

}  // namespace
