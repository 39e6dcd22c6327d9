// Whole training steps through the C API alone: what `layerwise bench step` takes beyond this is the cost of Java.
// `step_benchmark --help` says what it takes. predsim, Adam, random images, 4 batches in turn.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "layerwise.h"
#include "step_benchmark_options.h"

namespace {

using namespace layerwise::benchmark;

constexpr int batches = 4;

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
    config.geometry.in_channels = channels;
    config.geometry.in_height = config.geometry.in_width = side;
    config.geometry.out_channels = layer.outputs;
    config.max_pool = layer.max_pool;
    config.negative_slope = 0.01;
    config.losses.classes = model.classes;
    layerwise_block* block = nullptr;
    check(layerwise_block_create(context, &config, &block));
    blocks.emplace_back(block);
    channels = layer.outputs;
    side = layer.kind == LAYERWISE_CONVOLUTION ? side / (layer.max_pool ? 2 : 1) : 1;
  }
  return blocks;
}

DataSet make_images(layerwise_context* context, const Model& model, int batch) {
  std::mt19937 random(1);
  std::vector<uint8_t> pixels(static_cast<size_t>(batches * batch * model.channels * model.side * model.side));
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random());
  std::vector<int32_t> labels(static_cast<size_t>(batches * batch));
  for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int32_t>(i) % model.classes;
  const std::vector<float> mean(static_cast<size_t>(model.channels), 0.5f), deviation(mean.size(), 0.29f);
  layerwise_dataset* images = nullptr;
  check(layerwise_dataset_create(context, pixels.data(), labels.data(), batches * batch, model.channels, model.side,
                                 model.side, model.classes, mean.data(), deviation.data(), 0, &images));
  return DataSet(images);
}

/// The network on a device, and how it is trained.
class Training {
 public:
  Training(const Options& options) : options_(options), model_(model_of(options.model, options.multiple)) {
    layerwise_context_options wanted;
    layerwise_context_options_defaults(&wanted);
    wanted.device = options.device.c_str();
    wanted.engine = options.engine.c_str();
    wanted.precision = options.precision;
    wanted.threads = options.threads;
    wanted.seed = 1;
    wanted.profiled = options.operations;
    layerwise_context* created = nullptr;
    check(layerwise_context_create(&wanted, &created));
    context_.reset(created);
    blocks_ = make_blocks(created, model_);
    images_ = make_images(created, model_, options.batch);
  }

  /// One step, done when this returns; true where it was replayed.
  bool step() {
    std::vector<int32_t> chosen(static_cast<size_t>(options_.batch));
    for (size_t i = 0; i < chosen.size(); ++i)
      chosen[i] = static_cast<int32_t>(static_cast<int>(next_ % batches) * options_.batch + static_cast<int>(i));
    check(layerwise_context_set_step(context_.get(), next_++, 1e-4));
    check(layerwise_dataset_choose(images_.get(), chosen.data(), options_.batch));
    int32_t replayed = 0, again = 0;
    do {
      if (options_.record) check(layerwise_context_begin_step(context_.get(), options_.batch, &replayed));
      if (replayed == 0) train();
      again = 0;
      if (options_.record && replayed == 0) check(layerwise_context_end_step(context_.get(), &again));
    } while (again != 0);
    check(layerwise_context_synchronize(context_.get()));
    return replayed != 0;
  }

  /// Of all that the blocks hold, bit by bit (FNV-1a): equal for runs that computed the same.
  uint64_t checksum() const {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const Block& block : blocks_) {
      int32_t count = 0;
      check(layerwise_block_tensor_count(block.get(), &count));
      for (int32_t i = 0; i < count; ++i) {
        layerwise_tensor_info info;
        check(layerwise_block_tensor_info(block.get(), i, &info));
        int64_t elements = 1;
        for (int32_t d = 0; d < info.rank; ++d) elements *= info.shape[d];
        std::vector<float> values(static_cast<size_t>(elements));
        check(layerwise_block_tensor_read(block.get(), info.name, values.data(), elements));
        for (const float value : values) {
          uint32_t bits;
          std::memcpy(&bits, &value, sizeof bits);
          for (int byte = 0; byte < 4; ++byte) hash = (hash ^ (bits >> 8 * byte & 0xFF)) * 0x100000001b3u;
        }
      }
    }
    return hash;
  }

  /// Of the output layer, over all steps: the network's.
  double loss() const {
    layerwise_metrics metrics;
    check(layerwise_block_metrics(blocks_.back().get(), &metrics));
    return metrics.prediction_loss / metrics.samples;
  }

  int64_t peak_bytes() const {
    layerwise_memory memory;
    check(layerwise_context_memory(context_.get(), &memory));
    return memory.arena_peak_bytes + memory.parameter_bytes + memory.dataset_bytes;
  }

  std::string engines() const { return text(layerwise_context_engine_choices); }
  std::string operations() const { return text(layerwise_context_profile); }
  double flops() const { return options_.batch * flops_per_image(model_); }

 private:
  void train() {
    const layerwise_augmentation augmentation{4, 1, 0, 0, 0, 0};
    layerwise_tensor *x = nullptr, *y = nullptr;
    check(layerwise_dataset_batch(images_.get(), &augmentation, &x, &y));
    Tensor activation(x);
    const Tensor labels(y);
    for (const Block& block : blocks_) {
      layerwise_tensor* output = nullptr;
      check(layerwise_block_train_step(block.get(), activation.get(), labels.get(), nullptr, &output, nullptr));
      activation.reset(output);
    }
  }

  template <class Call>
  std::string text(const Call& call) const {
    int64_t length = 0;
    check(call(context_.get(), nullptr, 0, &length));
    std::string all(static_cast<size_t>(length) + 1, '\0');
    check(call(context_.get(), all.data(), length + 1, &length));
    all.resize(static_cast<size_t>(length));
    return all;
  }

  const Options& options_;
  const Model model_;
  Context context_;
  std::vector<Block> blocks_;
  DataSet images_;
  uint64_t next_ = 0;
};

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ';');
  return text;
}

void run(const Options& options) {
  Training training(options);
  std::vector<double> times;
  int replayed = 0;
  for (int step = 0; step < options.warmup + options.steps; ++step) {
    const auto begin = std::chrono::steady_clock::now();
    replayed += training.step() ? 1 : 0;
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    if (step >= options.warmup) times.push_back(time.count());
  }
  if (!std::isfinite(training.loss()))
    throw std::runtime_error("the steps computed a loss that is not a number; their time says nothing");
  std::sort(times.begin(), times.end());
  const size_t middle = times.size() / 2;
  const double median = times.size() % 2 == 1 ? times[middle] : (times[middle - 1] + times[middle]) / 2;
  const auto checksum = static_cast<unsigned long long>(training.checksum());
  if (options.operations) {
    std::printf("%s", training.operations().c_str());
    return;
  }
  if (!options.json) {
    std::printf("%s: median %.3f ms, least %.3f ms of %d steps; weights %016llx\n", options.model.c_str(), median,
                times.front(), options.steps, checksum);
    return;
  }
  std::printf(
      "{\"event\": \"result\", \"model\": \"%s\", \"multiple\": %g, \"device\": \"%s\", \"engine\": \"%s\", "
      "\"batch_size\": %d, \"steps\": %d, \"replayed\": %d, \"step_ms_median\": %.4f, \"step_ms_min\": %.4f, "
      "\"images_per_second\": %.1f, \"gflop_per_second\": %.1f, \"peak_bytes\": %lld, \"weights\": \"%016llx\", "
      "\"engines\": \"%s\"}\n",
      options.model.c_str(), options.multiple, options.device.c_str(), options.engine.c_str(), options.batch,
      options.steps, replayed, median, times.front(), 1e3 * options.batch / median, 1e-6 * training.flops() / median,
      static_cast<long long>(training.peak_bytes()), checksum, one_line(training.engines()).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  try {
    if (!parse(argc, argv, options)) {
      std::printf("%s", usage);
      return 0;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "step_benchmark: %s\n%s", error.what(), usage);
    return 2;
  }
  try {
    run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "step_benchmark: %s\n", error.what());
    return 1;
  }
}
