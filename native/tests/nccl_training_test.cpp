// Trainings of several CUDA devices, emulated, with recorded steps: against one device with the whole batch.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "backend/cuda/cuda_backend.h"
#include "backend/reference/reference_backend.h"
#include "cuda_on_host/nccl_stand_in.h"
#include "data_parallel_cases.h"

namespace layerwise::testing {
namespace {

std::unique_ptr<Backend> open_cuda() {
  DeviceOptions options;
  options.precision = Precision::f32;
  options.engine = "fused";
  return make_cuda_backend("cuda-on-host", options);
}

// Enough steps of a split that the later ones are replayed, then another split, which must not be mistaken for it: the first
// rank has as many images.
const Split whole_batches = {{9}, {9}, {9}, {9}, {9}, {9}, {8}};
const Split two_processes = {{5, 4}, {5, 4}, {5, 4}, {5, 4}, {5, 4}, {5, 4}, {5, 3}};

class NcclTraining : public ::testing::TestWithParam<TrainingCase> {
 protected:
  void TearDown() override { EXPECT_EQ(cuda_on_host::live_nccl_communicators(), 0); }
};

// The bound is that of DataParallelTraining.on_cpu_is_as_precise_as_one_process, and so are its reasons.
TEST_P(NcclTraining, is_as_precise_as_one_device_with_the_whole_batch) {
  const std::map<std::string, Values> expected =
      all_values(alone(GetParam(), make_reference_backend, whole_batches, true));
  const Results one = alone(GetParam(), open_cuda, whole_batches, true);
  const Results two = in_parallel(GetParam(), open_cuda, two_processes, true);
  const std::string name = GetParam().name;
  if (name != "augmentation" && name != "alternating_flip") {  // these have no step to record
    EXPECT_GE(two.replayed, 1);
  }
  double worst = 0;
  const auto compare = [&](const Results& results, const auto& check) {
    for (const auto& [name, values] : all_values(results))
      if (!values.empty() && (name.rfind("rows", 0) != 0 || expected.at(name).size() == values.size()))
        check(name, difference(values, expected.at(name)));
  };
  compare(one, [&](const std::string&, double apart) { worst = std::max(worst, apart); });
  ASSERT_LE(worst, 1e-4);
  int compared = 0;
  compare(two, [&](const std::string& name, double apart) {
    EXPECT_LE(apart, 3 * worst + 1e-6) << name;
    ++compared;
  });
  EXPECT_GE(compared, 2);
}

INSTANTIATE_TEST_SUITE_P(cases, NcclTraining, ::testing::ValuesIn(training_cases()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace layerwise::testing
