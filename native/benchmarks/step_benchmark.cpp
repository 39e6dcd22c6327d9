// Whole training steps through the C API alone: what `layerwise bench step` takes beyond this is the cost of Java.
//
//   step_benchmark MODEL [STEPS [THREADS]]    MODEL: mlp (3×1024, 28×28 images, 10 classes) or vgg8b (32×32, 100)
//
// predsim, batches of 128, the precision that the processor is best at. Prints milliseconds per step: median, least.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "layerwise.h"

namespace {

constexpr int batch_size = 128, batches = 4, warmup = 3;

void check(layerwise_status status) {
  if (status != LAYERWISE_OK) throw std::runtime_error(layerwise_error_message());
}

template <auto close>
struct Close {
  template <class T>
  void operator()(T* handle) const {
    close(handle);
  }
};
using Context = std::unique_ptr<layerwise_context, Close<layerwise_context_close>>;
using DataSet = std::unique_ptr<layerwise_dataset, Close<layerwise_dataset_close>>;
using Block = std::unique_ptr<layerwise_block, Close<layerwise_block_close>>;
using Tensor = std::unique_ptr<layerwise_tensor, Close<layerwise_tensor_close>>;

struct Layer {
  layerwise_block_kind kind;
  int32_t outputs;
  bool max_pool;
};

struct Model {
  int32_t channels, side, classes;
  std::vector<Layer> layers;
};

Model model_of(const std::string& name) {
  const auto convolution = [](int32_t outputs, bool pool) { return Layer{LAYERWISE_CONVOLUTION, outputs, pool}; };
  const Layer linear{LAYERWISE_LINEAR, 1024, false};
  if (name == "mlp") return {1, 28, 10, {linear, linear, linear, {LAYERWISE_OUTPUT, 10, false}}};
  if (name == "vgg8b")
    return {3, 32, 100,
            {convolution(128, false), convolution(256, true), convolution(256, false), convolution(512, true),
             convolution(512, true), convolution(512, true), linear, {LAYERWISE_OUTPUT, 100, false}}};
  throw std::runtime_error("there is no model '" + name + "' here; ask for mlp or vgg8b");
}

std::vector<Block> make_blocks(layerwise_context* context, const Model& model) {
  std::vector<Block> blocks;
  int32_t channels = model.channels, side = model.side;
  for (const Layer& layer : model.layers) {
    const std::string name = "layers." + std::to_string(blocks.size());
    layerwise_block_config config;
    layerwise_block_config_defaults(&config);
    config.name = name.c_str();
    config.index = static_cast<int32_t>(blocks.size());
    config.kind = layer.kind;
    config.in_channels = channels, config.in_height = side, config.in_width = side;
    config.out_channels = layer.outputs;
    config.max_pool = layer.max_pool;
    config.negative_slope = 0.01;
    config.classes = model.classes;
    layerwise_block* block = nullptr;
    check(layerwise_block_create(context, &config, &block));
    blocks.emplace_back(block);
    channels = layer.outputs;
    side = layer.kind == LAYERWISE_CONVOLUTION ? side / (layer.max_pool ? 2 : 1) : 1;
  }
  return blocks;
}

DataSet make_images(layerwise_context* context, const Model& model) {
  std::mt19937 random(1);
  std::vector<uint8_t> pixels(static_cast<size_t>(batches * batch_size * model.channels * model.side * model.side));
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random());
  std::vector<int32_t> labels(batches * batch_size);
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int32_t>(i) % model.classes;
  const std::vector<float> mean(static_cast<size_t>(model.channels), 0.5f), deviation(mean.size(), 0.29f);
  layerwise_dataset* images = nullptr;
  check(layerwise_dataset_create(context, pixels.data(), labels.data(), batches * batch_size, model.channels,
                                 model.side, model.side, model.classes, mean.data(), deviation.data(), &images));
  return DataSet(images);
}

void train_step(layerwise_context* context, layerwise_dataset* images, const std::vector<Block>& blocks, int step) {
  std::vector<int32_t> chosen(batch_size);
  for (int i = 0; i < batch_size; ++i) chosen[static_cast<size_t>(i)] = step % batches * batch_size + i;
  check(layerwise_context_set_step(context, static_cast<uint64_t>(step), 1e-4));
  check(layerwise_dataset_choose(images, chosen.data(), batch_size));
  const layerwise_augmentation augmentation{4, 1, 0, 0};
  layerwise_tensor *x = nullptr, *y = nullptr;
  check(layerwise_dataset_batch(images, &augmentation, &x, &y));
  Tensor activation(x);
  const Tensor labels(y);
  for (const Block& block : blocks) {
    layerwise_tensor* output = nullptr;
    check(layerwise_block_train_step(block.get(), activation.get(), labels.get(), nullptr, &output, nullptr));
    activation.reset(output);
  }
  check(layerwise_context_synchronize(context));
}

void run(const std::string& name, int steps, int threads) {
  layerwise_context_options options;
  layerwise_context_options_defaults(&options);
  options.threads = threads;
  options.seed = 1;
  layerwise_context* created = nullptr;
  check(layerwise_context_create(&options, &created));
  const Context context(created);
  const Model model = model_of(name);
  const std::vector<Block> blocks = make_blocks(context.get(), model);
  const DataSet images = make_images(context.get(), model);
  std::vector<double> times;
  for (int step = 0; step < warmup + steps; ++step) {
    const auto begin = std::chrono::steady_clock::now();
    train_step(context.get(), images.get(), blocks, step);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    if (step >= warmup) times.push_back(time.count());
  }
  std::sort(times.begin(), times.end());
  const size_t middle = times.size() / 2;
  const double median = times.size() % 2 == 1 ? times[middle] : (times[middle - 1] + times[middle]) / 2;
  std::printf("%s: median %.3f ms, least %.3f ms of %d steps\n", name.c_str(), median, times.front(), steps);
}

}  // namespace

int main(int argc, char** argv) {
  const int steps = argc > 2 ? std::atoi(argv[2]) : 20, threads = argc > 3 ? std::atoi(argv[3]) : 2;
  if (argc < 2 || argc > 4 || steps < 1 || threads < 1) {
    std::fprintf(stderr, "usage: step_benchmark mlp|vgg8b [STEPS [THREADS]]\n");
    return 2;
  }
  try {
    run(argv[1], steps, threads);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "step_benchmark: %s\n", error.what());
    return 1;
  }
}
