// Several processes, each with a slice of every batch, against one process with the whole batch.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "block_support.h"
#include "data_parallel_cases.h"
#include "processes/host_collectives.h"
#include "processes_in_threads.h"

namespace layerwise::testing {
namespace {

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

const Split whole_batches = {{9}, {9}, {5}};

Results alone(const TrainingCase& training_case, const std::string& device) {
  return alone(training_case, [&] { return open(device); }, whole_batches);
}

Results in_parallel(const TrainingCase& training_case, const std::string& device, const Split& split) {
  return in_parallel(training_case, [&] { return open(device); }, split);
}

class DataParallelTraining : public ::testing::TestWithParam<TrainingCase> {};

// The last batch is smaller and uneven, as at the end of an epoch.
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
  config.optimizer.clip_grad_norm = 0;
  config.dropout = 0;
  LocalBlock block(context, config);
  begin_step(*context, 0, slice);
  const SliceOfBatch batch(context, config.input, slice);
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
  const std::vector<Slice> slices = {{0, 5, 1}, {5, 4, 1}};
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
    const SliceOfBatch batch(context, large_block().input, slices[step]);
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
      const SliceOfBatch batch(context, large_block().input, slice);
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
