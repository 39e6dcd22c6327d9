// What the kernels of one training step do, counted on the device cuda-on-host (cuda_on_host/counting.h): lines of JSON for
// benchmarks/predict_gpu_step and ci/check-cuda-counts. The step is that of step_benchmark: predsim, Adam, bfloat16, one of
// this project's own engines. It is recorded as on a GPU, and counted when it is replayed.
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/cuda_backend.h"
#include "context/data_set.h"
#include "block/local_block.h"
#include "block/output_layer.h"
#include "cuda_on_host/runtime_api.h"
#include "labelled_backend.h"
#include "step_benchmark_options.h"

namespace {

using namespace layerwise;
using namespace layerwise::benchmark;
using cuda_on_host::Counts;
using cuda_on_host::LaunchCounts;
using cuda_on_host::Requests;

const char* const counts_usage =
    "usage: step_counts MODEL [OPTION...]\n"
    "  MODEL                 mlp, vgg8b or vgg11b\n"
    "  --multiple X          factor of the convolutions' channels (default: 1)\n"
    "  --batch-size N        images per step (default: 128)\n"
    "  --engine E            fused, or hopper where it supports the product (default: fused)\n"
    "  --multiprocessors N   of the GPU for which the step is planned (default: 132)\n"
    "  --blocks N            of a kernel that are run and stand for all, at most; 0: launches only (default: 32)\n";

struct CountsOptions {
  std::string model, engine = "fused";
  double multiple = 1;
  int batch = 128, multiprocessors = 132, blocks = 32;
};

class CountedTraining {
 public:
  explicit CountedTraining(const CountsOptions& options)
      : batch_(options.batch), model_(model_of(options.model, options.multiple)) {
    cuda_on_host::set_multiprocessors(options.multiprocessors);
    DeviceOptions device;
    device.precision = Precision::bf16;
    device.engine = options.engine;
    auto labelled = std::make_unique<LabelledBackend>(make_cuda_backend("cuda-on-host", device));
    labelled_ = labelled.get();
    context_ = std::make_shared<Context>(std::move(labelled), 1);
    make_blocks();
    make_images();
  }

  /// True where the step was replayed.
  bool step() {
    context_->backend().enter();
    context_->set_step(next_++, 1e-4);
    std::vector<int32_t> chosen;
    for (int i = 0; i < batch_; ++i) chosen.push_back(i);
    images_->choose(chosen.data(), batch_);
    labelled_->take_operations();
    if (context_->begin_step(batch_)) return true;
    train();
    return context_->end_step() ? throw std::runtime_error("the step could not be recorded") : false;
  }

  std::vector<LabelledOperation> take_operations() { return labelled_->take_operations(); }

 private:
  void make_blocks() {
    Shape input{1, model_.side, model_.side, model_.channels};
    for (const Layer& layer : model_.layers) {
      const std::string name = "layers." + std::to_string(blocks_.size());
      const auto index = static_cast<uint32_t>(blocks_.size());
      if (layer.kind == LAYERWISE_OUTPUT) {
        OutputLayerConfig config;
        config.name = name;
        config.index = index;
        config.input = input;
        config.classes = model_.classes;
        blocks_.push_back(std::make_unique<OutputLayer>(context_, config));
        continue;
      }
      LocalBlockConfig config;
      config.name = name;
      config.index = index;
      config.linear = layer.kind == LAYERWISE_LINEAR;
      config.input = input;
      config.out_channels = layer.outputs;
      config.convolution = {3, 3, 1, 1};
      config.negative_slope = 0.01;
      config.max_pool = layer.max_pool;
      config.loss.classes = model_.classes;
      blocks_.push_back(std::make_unique<LocalBlock>(context_, config));
      const int64_t side = config.linear ? 1 : input.h / (layer.max_pool ? 2 : 1);
      input = {1, side, side, layer.outputs};
    }
  }

  void make_images() {
    std::mt19937 random(1);
    const Shape shape{batch_, model_.side, model_.side, model_.channels};
    std::vector<uint8_t> pixels(static_cast<size_t>(shape.elements()));
    for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random());
    std::vector<int32_t> labels;
    for (int i = 0; i < batch_; ++i) labels.push_back(i % model_.classes);
    const std::vector<float> mean(static_cast<size_t>(model_.channels), 0.5f), deviation(mean.size(), 0.29f);
    images_ = std::make_unique<DataSet>(context_, shape, pixels.data(), labels.data(), model_.classes, mean.data(),
                                        deviation.data(), false);
  }

  void train() {
    labelled_->set_block("");
    DataSet::Batch batch = images_->batch({4, HorizontalFlip::random, 0, 0});
    ArenaTensor x = std::move(batch.images);
    const Labels labels{batch.labels, model_.classes};
    for (const auto& block : blocks_) {
      labelled_->set_block(block->name());
      x = block->train_step(x, labels, {}, nullptr);
    }
  }

  int batch_;
  Model model_;
  std::shared_ptr<Context> context_;
  LabelledBackend* labelled_ = nullptr;  // the context's
  std::vector<std::unique_ptr<Block>> blocks_;
  std::unique_ptr<DataSet> images_;
  uint64_t next_ = 0;
};

/// Divided by `parts`: the blocks that were counted, or the tiles that they made.
std::string json(const Requests& requests, double parts) {
  char text[128];
  std::snprintf(text, sizeof text, "[%.6g, %.6g, %.6g]", static_cast<double>(requests.requests) / parts,
                static_cast<double>(requests.parts) / parts, static_cast<double>(requests.bytes) / parts);
  return text;
}

std::string json(const Counts& counts, double parts, bool has_tiles) {
  char text[200];
  std::snprintf(text, sizeof text, "{\"mma_bf16\": %.6g, \"mma_tf32\": %.6g, \"shuffles\": %.6g, \"barriers\": %.6g",
                static_cast<double>(counts.mma_bf16) / parts, static_cast<double>(counts.mma_tf32) / parts,
                static_cast<double>(counts.shuffles) / parts, static_cast<double>(counts.barriers) / parts);
  std::string products;
  if (has_tiles) {
    char wgmma[64];
    std::snprintf(wgmma, sizeof wgmma, ", \"wgmma\": %.6g", static_cast<double>(counts.wgmma) / parts);
    products = wgmma + (", \"product_loads\": " + json(counts.product_loads, parts));
  }
  return text + products + ", \"shared_loads\": " + json(counts.shared_loads, parts) +
         ", \"shared_stores\": " + json(counts.shared_stores, parts) +
         ", \"matrix_loads\": " + json(counts.matrix_loads, parts) +
         ", \"copies_read\": " + json(counts.copies_read, parts) +
         ", \"copies_stored\": " + json(counts.copies_stored, parts) +
         ", \"global_loads\": " + json(counts.global_loads, parts) +
         ", \"global_stores\": " + json(counts.global_stores, parts) + "}";
}

/// Counts are per block, or per tile where a kernel makes tiles (by wgmma).
void print(const LaunchCounts& launch) {
  const bool has_tiles = launch.finished_tiles > 0;
  const double parts = static_cast<double>(has_tiles                    ? launch.finished_tiles
                                           : launch.counted_blocks > 0 ? launch.counted_blocks
                                                                       : 1);
  char tiles[64] = "";
  if (has_tiles)
    std::snprintf(tiles, sizeof tiles, "\"tiles\": %.6g, \"most_tiles\": %d, ", launch.tiles, launch.most_tiles);
  std::printf("{\"event\": \"launch\", \"label\": \"%s\", \"kernel\": \"%s\", \"blocks\": %lld, \"counted\": %lld, "
              "\"threads\": %d, \"shared_bytes\": %zu, \"read\": %lld, \"written\": %lld, \"copied\": %lld, "
              "%s\"main\": %s, \"tail\": %s}\n",
              launch.label.c_str(), launch.kernel.c_str(), static_cast<long long>(launch.blocks),
              static_cast<long long>(launch.counted_blocks), launch.threads, launch.shared_bytes,
              static_cast<long long>(launch.read.bytes()), static_cast<long long>(launch.written.bytes()),
              static_cast<long long>(launch.copied_bytes), tiles, json(launch.main, parts, has_tiles).c_str(),
              json(launch.tail, parts, has_tiles).c_str());
}

void run(const CountsOptions& options) {
  cuda_on_host::count_launches(0);  // until the step is recorded: its launches alone
  CountedTraining training(options);
  std::vector<LabelledOperation> operations;
  bool replayed = false;
  for (int step = 0; step < 8 && !replayed; ++step) {
    replayed = training.step();
    if (!replayed) operations = training.take_operations();
  }
  if (!replayed) throw std::runtime_error("the step was not recorded");
  cuda_on_host::end_counting();
  cuda_on_host::count_launches(options.blocks);
  training.step();
  const std::vector<LaunchCounts> launches = cuda_on_host::end_counting();
  std::printf("{\"event\": \"step\", \"model\": \"%s\", \"multiple\": %g, \"batch_size\": %d, \"multiprocessors\": %d, "
              "\"nodes\": %zu}\n",
              options.model.c_str(), options.multiple, options.batch, options.multiprocessors,
              cuda_on_host::nodes_of_last_graph());
  for (const LabelledOperation& operation : operations)
    std::printf("{\"event\": \"operation\", \"label\": \"%s\", \"shapes\": \"%s\", \"flops\": %.9g, \"bytes\": %.9g}\n",
                operation.label.c_str(), operation.costs.shapes.c_str(), operation.costs.flops, operation.costs.bytes);
  for (const LaunchCounts& launch : launches) print(launch);
}

/// Throws std::invalid_argument, one sentence.
CountsOptions parse_counts(int argc, char** argv) {
  CountsOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 == argc) throw std::invalid_argument(argument + " needs a value");
      return argv[++i];
    };
    if (argument == "--multiple")
      options.multiple = multiple_of(value());
    else if (argument == "--batch-size")
      options.batch = whole_number(argument, value(), 1);
    else if (argument == "--multiprocessors")
      options.multiprocessors = whole_number(argument, value(), 1);
    else if (argument == "--engine")
      options.engine = value();
    else if (argument == "--blocks")
      options.blocks = whole_number(argument, value(), 0);
    else if (argument.rfind("-", 0) == 0 || !options.model.empty())
      throw std::invalid_argument("there is no option '" + argument + "'");
    else
      options.model = argument;
  }
  if (options.model.empty()) throw std::invalid_argument("no MODEL is given");
  if (options.engine != "fused" && options.engine != "hopper")
    throw std::invalid_argument("--engine takes fused or hopper, not '" + options.engine + "'");
  model_of(options.model, options.multiple);
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    std::printf("%s", counts_usage);
    return 0;
  }
  CountsOptions options;
  try {
    options = parse_counts(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "step_counts: %s\n%s", error.what(), counts_usage);
    return 2;
  }
  try {
    run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "step_counts: %s\n", error.what());
    return 1;
  }
}
