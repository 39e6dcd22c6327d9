// Several processes, each with a slice of every batch, against one process with the whole batch.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "block/head.h"
#include "block/preactivation_block.h"
#include "block_support.h"
#include "context/data_set.h"
#include "processes/host_collectives.h"
#include "processes_in_threads.h"

namespace layerwise::testing {
namespace {

using Values = std::vector<double>;

/// What a run leaves: by name, what must be the same in every process; and rows, of which every process has its own.
struct Results {
  std::map<std::string, Values> same;
  std::vector<Values> rows;
  BlockMetrics metrics;
};

/// This process's samples of a step's batch.
struct Slice {
  int64_t first, count;
};

/// The sizes of the slices of three steps' batches; the last batch is smaller and uneven, as at the end of an epoch.
using Split = std::vector<std::vector<int64_t>>;
const Split whole_batches = {{9}, {9}, {5}};

std::vector<Slice> slices_of(const Split& split, int rank) {
  std::vector<Slice> slices;
  for (const std::vector<int64_t>& sizes : split)
    slices.push_back({std::accumulate(sizes.begin(), sizes.begin() + rank, int64_t{0}), sizes[static_cast<size_t>(rank)]});
  return slices;
}

/// The slice of a batch of random activations and of labels 0, 1, 2, 0, …
struct SliceOfBatch {
  SliceOfBatch(const std::shared_ptr<Context>& context, const Shape& sample, const Slice& slice, uint32_t stream) {
    Backend& backend = context->backend();
    ArenaTensor images = backend.arena().take(backend.activation_type(), sample.of_samples(slice.count));
    const std::vector<float> values = random_values(9 * sample.features(), stream);
    upload(backend, values.data() + slice.first * sample.features(), images.view());
    x = std::make_shared<const ArenaTensor>(std::move(images));
    std::vector<int32_t> classes;
    for (int64_t i = 0; i < slice.count; ++i) classes.push_back(static_cast<int32_t>((slice.first + i) % 3));
    memory = backend.arena().take(DataType::int32, Shape::vector(slice.count));
    upload(backend, classes.data(), memory.view());
    labels = {memory.view(), 3};
  }

  Activation x;
  ArenaTensor memory;
  Labels labels;
};

Values values_of(Backend& backend, const Tensor& tensor) { return download<double>(backend, tensor); }

void keep_tensors(Backend& backend, const Block& block, Results& results) {
  const Parameters& parameters = block.parameters();
  size_t numbers[2] = {0, 0};
  for (const Parameters::Info& info : parameters.tensors()) {
    if (info.role == Parameters::Role::optimizer_state) continue;
    const bool trained = info.role == Parameters::Role::parameter;
    const size_t number = numbers[trained ? 0 : 1]++;
    results.same[block.name() + "." + info.name] =
        values_of(backend, trained ? parameters.parameter(number) : parameters.buffer(number));
  }
}

void keep_metrics(Block& block, Results& results) {
  const BlockMetrics read = block.read_metrics();
  results.metrics.similarity_loss += read.similarity_loss;
  results.metrics.prediction_loss += read.prediction_loss;
  results.metrics.unsupervised_loss += read.unsupervised_loss;
  results.metrics.errors += read.errors;
  results.metrics.samples += read.samples;
}

/// A training of three steps on slices of their batches.
using Training = std::function<void(const std::shared_ptr<Context>&, const std::vector<Slice>&, Results&)>;

void begin_step(Context& context, size_t step, const Slice& slice) {
  context.set_batch(slice.count);
  context.set_step(step, 0.125);
}

layerwise_optimizer momentum() {
  layerwise_optimizer settings = default_optimizer;
  settings.optim = LAYERWISE_OPTIM_SGD;  // Adam would blow the rounding of a gradient that is almost 0 up to a step's size
  settings.momentum = 0.5;
  return settings;
}

/// One block, trained by its own losses.
template <class BlockType, class Config>
Training local_training(Config config) {
  config.optimizer = momentum();
  return [config](const std::shared_ptr<Context>& context, const std::vector<Slice>& slices, Results& results) {
    BlockType block(context, config);
    for (size_t step = 0; step < slices.size(); ++step) {
      begin_step(*context, step, slices[step]);
      const SliceOfBatch batch(context, config.input, slices[step], static_cast<uint32_t>(step + 1));
      const ArenaTensor output = block.train_step(*batch.x, batch.labels, {}, nullptr);
      results.rows.push_back(values_of(context->backend(), output));
    }
    keep_tensors(context->backend(), block, results);
    keep_metrics(block, results);
  };
}

PreactivationBlockConfig preactivation(uint32_t index, const Shape& input) {
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
  config.optimizer = momentum();
  return config;
}

/// A residual network of two preactivation blocks with a projected shortcut, a head and an output layer: by
/// backpropagation, or also by local losses (no_detach).
Training residual_training(bool local_losses, bool affine) {
  return [=](const std::shared_ptr<Context>& context, const std::vector<Slice>& slices, Results& results) {
    PreactivationBlockConfig first = preactivation(0, {1, 8, 8, 4}), second = preactivation(1, {1, 8, 8, 5});
    second.convolution.stride = 2;
    if (!local_losses) first.loss.loss = second.loss.loss = LocalLoss::none;
    LocalBlockConfig projection;
    projection.name = "shortcut";
    projection.index = 2;
    projection.input = {1, 8, 8, 4};
    projection.out_channels = 5;
    projection.convolution = {1, 1, 2, 0};
    projection.bias = false;
    projection.negative_slope = 1;
    projection.loss.loss = LocalLoss::none;
    projection.optimizer = momentum();
    HeadConfig head_config;
    head_config.name = "head";
    head_config.index = 3;
    head_config.input = {1, 4, 4, 5};
    head_config.batch_norm = true;
    head_config.affine = affine;
    head_config.average_pool = 2;
    head_config.optimizer = momentum();
    OutputLayerConfig last;
    last.name = "linear";
    last.index = 4;
    last.input = {1, 2, 2, 5};
    last.classes = 3;
    last.zero_start = false;
    last.optimizer = momentum();
    PreactivationBlock block1(context, first), block2(context, second);
    LocalBlock shortcut(context, projection);
    Head head(context, head_config);
    OutputLayer output(context, last);
    for (size_t step = 0; step < slices.size(); ++step) {
      begin_step(*context, step, slices[step]);
      const SliceOfBatch batch(context, first.input, slices[step], static_cast<uint32_t>(step + 1));
      const Activation s = shortcut.forward(batch.x, {}, {});
      const Activation h1 = block1.forward(batch.x, batch.labels, {});
      const Activation h2 = block2.forward(h1, batch.labels, *s);
      const Activation pooled = head.forward(h2, {}, {});
      const Activation logits = output.forward(pooled, batch.labels, {});
      results.rows.push_back(values_of(context->backend(), *logits));
      const PassedOn d_pooled = output.backward({}, true, false);
      const PassedOn d2 = head.backward(d_pooled.d_input, true, false);
      const PassedOn d1 = block2.backward(d2.d_input, true, true);
      shortcut.backward(d1.d_shortcut, false, false);
      const PassedOn d0 = block1.backward(d1.d_input, true, false);
      results.rows.push_back(values_of(context->backend(), d0.d_input));
    }
    for (Block* block : std::initializer_list<Block*>{&block1, &block2, &shortcut, &head, &output}) {
      keep_tensors(context->backend(), *block, results);
      keep_metrics(*block, results);
    }
  };
}

/// Augmented images of a data set: every image of the batch has the random numbers of its place in the whole batch.
void load_augmented(const std::shared_ptr<Context>& context, const std::vector<Slice>& slices, Results& results) {
  const Shape shape{9, 6, 6, 3};
  std::vector<uint8_t> pixels(static_cast<size_t>(shape.elements()));
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 37 % 251);
  const std::vector<int32_t> labels(9, 1);
  const std::vector<float> mean(3, 0.5f), deviation(3, 0.25f);
  DataSet data(context, shape, pixels.data(), labels.data(), 3, mean.data(), deviation.data());
  for (size_t step = 0; step < slices.size(); ++step) {
    begin_step(*context, step, slices[step]);
    std::vector<int32_t> chosen(static_cast<size_t>(slices[step].count));
    std::iota(chosen.begin(), chosen.end(), static_cast<int32_t>(slices[step].first));
    data.choose(chosen.data(), slices[step].count);
    const DataSet::Batch batch = data.batch({2, true, 1, 3});
    results.rows.push_back(values_of(context->backend(), batch.images));
  }
}

struct TrainingCase {
  const char* name;
  Training training;
};

void PrintTo(const TrainingCase& training_case, std::ostream* out) { *out << training_case.name; }

std::vector<TrainingCase> training_cases() {
  std::vector<TrainingCase> cases;
  const auto add = [&](const char* name, const LocalBlockConfig& config) {
    cases.push_back({name, local_training<LocalBlock>(config)});
  };
  LocalBlockConfig config = small_convolution_block();
  add("conv_predsim", config);
  config.loss.loss = LocalLoss::pred;
  add("conv_pred", config);
  config.loss.loss = LocalLoss::sim;
  add("conv_sim", config);
  config.loss.similarity_std = false;
  add("conv_sim_flat", config);
  config = small_convolution_block();
  config.batch_norm = false;
  add("conv_no_batch_norm", config);
  config = small_linear_block({1, 8, 8, 2});
  add("linear_predsim_over_map", config);
  config = small_convolution_block();
  config.input.c = 5;  // more than 3 channels: deviations of the input
  config.loss.unsupervised = UnsupervisedLoss::sim;
  config.loss.alpha = 0.3;
  add("conv_predsim_and_similarity_to_input", config);
  config.loss.unsupervised = UnsupervisedLoss::recon;
  config.loss.loss = LocalLoss::pred;
  add("conv_pred_and_reconstruction", config);
  config = small_linear_block({1, 1, 1, 9});
  config.loss.unsupervised = UnsupervisedLoss::recon;
  config.loss.alpha = 0.6;
  add("linear_predsim_and_reconstruction", config);
  config = small_convolution_block();
  config.loss.bio = true;
  config.loss.target_proj_size = 6;
  add("conv_bio_predsim", config);
  config.loss.unsupervised = UnsupervisedLoss::sim;
  config.loss.alpha = 0.3;
  config.loss.similarity_std = false;
  add("conv_bio_flat_and_similarity_to_input", config);
  cases.push_back({"preactivation", local_training<PreactivationBlock>(preactivation(0, {1, 8, 8, 4}))});
  cases.push_back({"backprop", residual_training(false, true)});
  cases.push_back({"no_detach", residual_training(true, true)});
  cases.push_back({"no_detach_head_without_scale", residual_training(true, false)});
  cases.push_back({"augmentation", load_augmented});
  return cases;
}

DeviceOptions one_thread() {
  DeviceOptions options;
  options.threads = 1;
  options.precision = Precision::automatic;
  return options;
}

std::unique_ptr<Backend> open(const std::string& device) {
  DeviceOptions options = one_thread();
  if (device == "cpu") options.precision = Precision::f32;
  return open_device(device, options);
}

Results alone(const TrainingCase& training_case, const std::string& device) {
  Results results;
  training_case.training(std::make_shared<Context>(open(device), 7), slices_of(whole_batches, 0), results);
  return results;
}

Results in_parallel(const TrainingCase& training_case, const std::string& device, const Split& split) {
  const auto size = split[0].size();
  std::vector<Results> of(size);
  in_processes(static_cast<int>(size), [&](const std::shared_ptr<Communicator>& communicator) {
    const auto context =
        std::make_shared<Context>(open(device), 7, false, std::make_unique<HostCollectives>(communicator));
    context->backend().enter();
    training_case.training(context, slices_of(split, communicator->rank()), of[static_cast<size_t>(communicator->rank())]);
  });
  Results all = of[0];
  for (size_t rank = 1; rank < size; ++rank) {
    EXPECT_EQ(of[rank].same, all.same) << "rank " << rank;  // to the bit
    for (size_t i = 0; i < all.rows.size(); ++i)
      all.rows[i].insert(all.rows[i].end(), of[rank].rows[i].begin(), of[rank].rows[i].end());
    all.metrics.similarity_loss += of[rank].metrics.similarity_loss;
    all.metrics.prediction_loss += of[rank].metrics.prediction_loss;
    all.metrics.unsupervised_loss += of[rank].metrics.unsupervised_loss;
    all.metrics.errors += of[rank].metrics.errors;
    all.metrics.samples += of[rank].metrics.samples;
  }
  return all;
}

std::map<std::string, Values> all_values(const Results& results) {
  std::map<std::string, Values> values = results.same;
  for (size_t i = 0; i < results.rows.size(); ++i) values["rows " + std::to_string(i)] = results.rows[i];
  values["metrics"] = {results.metrics.similarity_loss, results.metrics.prediction_loss,
                       results.metrics.unsupervised_loss, results.metrics.errors, results.metrics.samples};
  return values;
}

/// The largest difference, as a part of the largest value, but at least of 0.1: some values are what rounding leaves of terms
/// of that size, such as a shift in front of another batch norm, whose gradient is 0. Infinite where the shapes differ or
/// something is no number.
double difference(const Values& of, const Values& from) {
  double largest = 0.1, error = 0;
  if (of.size() != from.size()) return std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < of.size(); ++i) {
    largest = std::max(largest, std::fabs(from[i]));
    const double apart = std::fabs(of[i] - from[i]);
    if (!(apart <= error)) error = std::isnan(apart) ? std::numeric_limits<double>::infinity() : apart;
  }
  return error / largest;
}

class DataParallelTraining : public ::testing::TestWithParam<TrainingCase> {};

const Split two_processes = {{5, 4}, {4, 5}, {3, 2}};
const Split three_processes = {{2, 1, 6}, {3, 3, 3}, {1, 1, 3}};

// A sum of n terms of double has an error of at most n · 1.1e-16 of their size: 1e-13 for the thousand terms of a sum
// here. Three steps and the gradients' passage through a few normalizations leave it below 1e-12.
TEST_P(DataParallelTraining, on_reference_is_one_process_with_the_whole_batch) {
  const std::map<std::string, Values> expected = all_values(alone(GetParam(), "reference"));
  for (const Split& split : {two_processes, three_processes}) {
    const std::map<std::string, Values> actual = all_values(in_parallel(GetParam(), "reference", split));
    ASSERT_EQ(actual.size(), expected.size());
    for (const auto& [name, values] : expected)
      EXPECT_LE(difference(actual.at(name), values), 1e-12) << name << ", " << split[0].size() << " processes";
  }
}

// In float32 both differ from double by rounding, and splitting a batch adds a few roundings to each sum: several processes
// may not be much worse than one is. How large one process's error can be is seen in its worst tensor; a tensor of five
// values alone may have a small one by chance. 1e-6 is eight roundings, for a case in which one process has next to none.
// A missing or wrong part of a formula is of the order of the values themselves.
TEST_P(DataParallelTraining, on_cpu_is_as_precise_as_one_process) {
  const std::map<std::string, Values> expected = all_values(alone(GetParam(), "reference"));
  double worst = 0;
  for (const auto& [name, values] : all_values(alone(GetParam(), "cpu")))
    worst = std::max(worst, difference(values, expected.at(name)));
  ASSERT_LE(worst, 1e-4);
  for (const Split& split : {two_processes, three_processes}) {
    const std::map<std::string, Values> actual = all_values(in_parallel(GetParam(), "cpu", split));
    for (const auto& [name, values] : expected)
      EXPECT_LE(difference(actual.at(name), values), 3 * worst + 1e-6) << name << ", " << split[0].size() << " processes";
  }
}

TEST_P(DataParallelTraining, gives_the_same_bits_each_time) {
  const auto run = [] { return all_values(in_parallel(GetParam(), "cpu", three_processes)); };
  EXPECT_EQ(run(), run());
}

INSTANTIATE_TEST_SUITE_P(cases, DataParallelTraining, ::testing::ValuesIn(training_cases()),
                         [](const auto& info) { return std::string(info.param.name); });

template <class Body>
std::string failure_of(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing";
}

// ---- local statistics, parts of parameters, bytes ---------------------------------------------------

std::shared_ptr<Context> context_of(const std::shared_ptr<Communicator>& communicator, const std::string& device,
                                    Statistics statistics, Reduce reduce) {
  auto context = std::make_shared<Context>(open(device), 7, false,
                                           std::make_unique<HostCollectives>(communicator, reduce), statistics);
  context->backend().enter();
  return context;
}

/// The gradient of a step's own loss, and the loss, of a block that normalizes and compares a slice of the first batch.
struct Step {
  Values gradient, running_mean;
  double similarity_loss;
};

Step local_step(const std::shared_ptr<Context>& context, const Slice& slice) {
  LocalBlockConfig config = small_convolution_block();
  config.optimizer = momentum();
  config.optimizer.momentum = 0;
  config.dropout = 0;
  LocalBlock block(context, config);
  begin_step(*context, 0, slice);
  const SliceOfBatch batch(context, config.input, slice, 1);
  const Values before = values_of(context->backend(), block.parameters().parameter(0));
  block.train_step(*batch.x, batch.labels, {}, nullptr);
  Step step{values_of(context->backend(), block.parameters().parameter(0)), {}, 0};
  for (size_t i = 0; i < before.size(); ++i) step.gradient[i] = (before[i] - step.gradient[i]) / 0.125;
  step.running_mean = values_of(context->backend(), block.parameters().buffer(0));
  step.similarity_loss = block.read_metrics().similarity_loss;
  return step;
}

// Each process trains as if its slice were the batch; gradients and running statistics count by its share of the images.
TEST(LocalStatistics, are_the_mean_of_independent_slices) {
  const std::vector<Slice> slices = {{0, 5}, {5, 4}};
  std::vector<Step> expected, actual(2);
  for (const Slice& slice : slices) expected.push_back(local_step(std::make_shared<Context>(open("reference"), 7), slice));
  in_processes(2, [&](const std::shared_ptr<Communicator>& communicator) {
    const auto rank = static_cast<size_t>(communicator->rank());
    actual[rank] = local_step(context_of(communicator, "reference", Statistics::local, Reduce::ordered), slices[rank]);
  });
  const auto mean = [](const Values& first, const Values& second) {
    Values values;
    for (size_t i = 0; i < first.size(); ++i) values.push_back((5 * first[i] + 4 * second[i]) / 9);
    return values;
  };
  EXPECT_LE(difference(actual[0].gradient, mean(expected[0].gradient, expected[1].gradient)), 1e-12);
  EXPECT_LE(difference(actual[0].running_mean, mean(expected[0].running_mean, expected[1].running_mean)), 1e-12);
  EXPECT_EQ(actual[1].gradient, actual[0].gradient);
  EXPECT_EQ(actual[1].running_mean, actual[0].running_mean);
  for (size_t rank = 0; rank < 2; ++rank)
    EXPECT_NEAR(actual[rank].similarity_loss, expected[rank].similarity_loss, 1e-12);
}

/// A block whose parameters are enough to be cut into parts.
LocalBlockConfig large_block() {
  LocalBlockConfig config = small_linear_block({1, 1, 1, 130});
  config.out_channels = 90;  // 130·90 + 90·90 weights and more
  return config;
}

/// Everything that it has after two steps, the optimizer's state included.
std::map<std::string, std::vector<float>> trained_large_block(const std::shared_ptr<Context>& context,
                                                              const std::vector<Slice>& slices) {
  LocalBlock block(context, large_block());
  for (size_t step = 0; step < 2; ++step) {
    begin_step(*context, step, slices[step]);
    const SliceOfBatch batch(context, large_block().input, slices[step], static_cast<uint32_t>(step + 1));
    block.train_step(*batch.x, batch.labels, {}, nullptr);
  }
  const auto read = [&](const Parameters::Info& info) {
    int64_t count = 1;
    for (const int64_t dimension : info.dimensions) count *= dimension;
    std::vector<float> values(static_cast<size_t>(count));
    block.parameters().read(info.name, values.data(), count);
    return values;
  };
  if (!context->data_parallel().is_alone()) {
    for (const Parameters::Info& info : block.parameters().tensors()) {
      if (info.name.rfind("exp_avg.", 0) != 0) continue;
      EXPECT_EQ(failure_of([&] { read(info); }), "the optimizer's state is spread over the processes; gather it first");
    }
    block.parameters().gather_optimizer_state();
  }
  std::map<std::string, std::vector<float>> values;
  for (const Parameters::Info& info : block.parameters().tensors()) values[info.name] = read(info);
  return values;
}

// Reduce::engine adds the gradients of three processes in another order: as good in double.
TEST(PartsOfParameters, are_updated_as_the_whole_would_be) {
  const auto expected = trained_large_block(std::make_shared<Context>(open("reference"), 7), slices_of(whole_batches, 0));
  for (const Split& split : {two_processes, three_processes}) {
    for (const Reduce reduce : {Reduce::ordered, Reduce::engine}) {
      const auto size = split[0].size();
      std::vector<std::map<std::string, std::vector<float>>> of(size);
      in_processes(static_cast<int>(size), [&](const std::shared_ptr<Communicator>& communicator) {
        of[static_cast<size_t>(communicator->rank())] =
            trained_large_block(context_of(communicator, "reference", Statistics::global, reduce),
                                slices_of(split, communicator->rank()));
      });
      for (size_t rank = 1; rank < size; ++rank) EXPECT_EQ(of[rank], of[0]);
      ASSERT_EQ(of[0].size(), expected.size());
      for (const auto& [name, values] : expected)
        EXPECT_LE(difference(Values(of[0].at(name).begin(), of[0].at(name).end()), Values(values.begin(), values.end())),
                  1e-6) << name << ", " << size << " processes";  // read as float32: 6e-8, and some for Adam's quotients
    }
  }
}

// docs/distributed.md has the formula.
TEST(Exchanged, bytes_are_those_of_the_formula) {
  for (const Statistics statistics : {Statistics::global, Statistics::local}) {
    in_processes(3, [&](const std::shared_ptr<Communicator>& communicator) {
      const auto context = context_of(communicator, "cpu", statistics, Reduce::ordered);
      LocalBlock block(context, large_block());
      const Slice slice = slices_of({{3, 3, 3}}, communicator->rank())[0];
      begin_step(*context, 0, slice);
      const SliceOfBatch batch(context, large_block().input, slice, 1);
      const Exchanged before = context->data_parallel().exchanged();
      block.train_step(*batch.x, batch.labels, {}, nullptr);
      const Exchanged after = context->data_parallel().exchanged();

      constexpr int64_t others = 2, samples = 9, channels = 90, classes = 3;
      int64_t parameters = 0;
      for (const Parameters::Info& info : block.parameters().tensors()) {
        int64_t count = info.role == Parameters::Role::parameter ? 1 : 0;
        for (const int64_t dimension : info.dimensions) count *= dimension;
        parameters += count;
      }
      ASSERT_EQ(parameters, 130 * channels + channels + 2 * channels + classes * channels + classes + channels * channels);
      const int64_t moments = 2 * channels * 4 * others;
      const int64_t rows = (samples - 3) * (channels + 1) * 4;  // features and labels
      const bool global = statistics == Statistics::global;
      const int64_t expected = (global ? 2 * moments + rows : moments) + 2 * parameters * 4 * others / 3;
      // Parts are cut at multiples of 16 elements, of 64 bytes each; parameters begin at such multiples, too.
      EXPECT_NEAR(static_cast<double>(after.received_bytes - before.received_bytes), static_cast<double>(expected), 1024);
      EXPECT_EQ(after.exchanges - before.exchanges, global ? 6 : 3);
      EXPECT_GT(after.seconds, 0);
    });
  }
}

// ---- the parts ------------------------------------------------------------------------------------

TEST(DataParallelBatch, without_images_for_a_rank_is_refused_on_all_ranks) {
  in_processes(3, [](const std::shared_ptr<Communicator>& communicator) {
    Context context(open("reference"), 7, false, std::make_unique<HostCollectives>(communicator));
    EXPECT_EQ(failure_of([&] { context.set_batch(communicator->rank() == 2 ? 0 : 4); }),
              "rank 2 has no images of the batch, which is split over 3 processes; use fewer processes or a larger batch");
  });
}

TEST(OrderedSum, adds_in_rank_order_whatever_the_size) {
  for (const int64_t count : {1, 100, 20001}) {
    in_processes(3, [&](const std::shared_ptr<Communicator>& communicator) {
      // The order shows: (1 + 1e17) − 1e17 is 0, but 1 + (1e17 − 1e17) is 1.
      const double parts[] = {1, 1e17, -1e17};
      std::vector<double> values(static_cast<size_t>(count), parts[communicator->rank()]);
      std::vector<char> scratch;
      ordered_sum(*communicator, values.data(), count, scratch);
      EXPECT_EQ(values, std::vector<double>(static_cast<size_t>(count), 0));
    });
  }
}

TEST(CheckEqual, names_the_rank_that_differs) {
  in_processes(3, [](const std::shared_ptr<Communicator>& communicator) {
    check_equal(*communicator, "the version", "1");
    EXPECT_EQ(failure_of([&] { check_equal(*communicator, "the data", communicator->rank() == 1 ? "b" : "a"); }),
              "the data of rank 1 is b, but that of the others is a");
  });
}

}  // namespace
}  // namespace layerwise::testing
