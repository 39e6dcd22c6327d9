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

Results alone(const TrainingCase& training_case, const std::string& device) {
  return alone(training_case, [&] { return open(device); }, {{9}, {9}, {5}});
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

// ---- the parts ------------------------------------------------------------------------------------

template <class Body>
std::string failure_of(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing";
}

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
