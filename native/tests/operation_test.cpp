// Holds every backend to the table of cases: same inputs, outputs compared with the reference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#ifdef LAYERWISE_CUDA_ON_HOST
#include "backend/cuda/cuda_backend.h"
#endif
#include "backend/reference/reference_backend.h"
#include "backends_under_test.h"
#include "operation_cases.h"

namespace layerwise::test {

namespace {

constexpr uint64_t seed = 20190118;

double machine_epsilon(DataType type) {
  switch (type) {
    case DataType::float64: return std::numeric_limits<double>::epsilon();
    case DataType::float32: return std::numeric_limits<float>::epsilon();
    case DataType::bfloat16: return 0x1p-7;
    default: return 0;
  }
}

/// The bound that Tolerance states.
void expect_close(const Operands::Result& actual, const Operands::Result& expected, const Backend& backend) {
  ASSERT_EQ(actual.name, expected.name);
  ASSERT_EQ(actual.values.size(), expected.values.size());
  double error = 0, norm = 0;
  for (size_t i = 0; i < expected.values.size(); ++i) {
    error += std::pow(actual.values[i] - expected.values[i], 2);
    norm += std::pow(expected.values[i], 2);
  }
  const Tolerance tolerance = expected.tolerance;
  const double natural = tolerance.scale * std::sqrt(static_cast<double>(expected.values.size()));
  const DataType a = backend.activation_type(), p = backend.parameter_type();
  const double relative = 2 * machine_epsilon(p) * std::sqrt(tolerance.terms) +
                          (a == p ? 0 : tolerance.roundings * machine_epsilon(a) / 2);
  const double bound = relative * std::max(std::sqrt(norm), natural);
  EXPECT_TRUE(std::sqrt(error) <= bound) << actual.name << " differs from the reference by " << std::sqrt(error)
                                         << ", allowed are " << bound << " (norm " << std::sqrt(norm) << ")";
}

void expect_clean(const Operands& operands) {
  for (const std::string& violation : operands.violations()) ADD_FAILURE() << violation;
}

/// Bit for bit, NaN included.
bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0;
}

}  // namespace

class OperationTest : public testing::TestWithParam<std::tuple<BackendUnderTest, OperationCase>> {};

TEST_P(OperationTest, matches_reference) {
  const auto& [under_test, operation] = GetParam();
  const std::unique_ptr<Backend> backend = under_test.make();
  const DataType activations = backend->activation_type();
  const std::unique_ptr<Backend> reference = make_reference_backend();
  Operands expected(*reference, seed, activations);
  operation.run(expected);
  expect_clean(expected);

  backend->enter();
  // The second run finds what the first one cached, and the arena at its size.
  Operands first(*backend, seed, activations), second(*backend, seed, activations);
  operation.run(first);
  operation.run(second);
  expect_clean(first);
  expect_clean(second);

  const auto results = first.results(), again = second.results(), wanted = expected.results();
  ASSERT_EQ(results.size(), wanted.size());
  for (size_t i = 0; i < results.size(); ++i) {
    expect_close(results[i], wanted[i], *backend);
    EXPECT_TRUE(same_bits(results[i].values, again[i].values))
        << results[i].name << " is not the same bits when the operation runs a second time";
  }
}

std::string name_of_test(const testing::TestParamInfo<OperationTest::ParamType>& info) {
  return std::get<0>(info.param).name + "_" + std::get<1>(info.param).name;
}

INSTANTIATE_TEST_SUITE_P(table, OperationTest,
                         testing::Combine(testing::ValuesIn(backends_under_test()),
                                          testing::ValuesIn(operation_cases())),
                         name_of_test);
INSTANTIATE_TEST_SUITE_P(large, OperationTest,
                         testing::Combine(testing::ValuesIn(backends_with_large_tiles()),
                                          testing::ValuesIn(many_tile_cases())),
                         name_of_test);
INSTANTIATE_TEST_SUITE_P(eights, OperationTest,
                         testing::Combine(testing::ValuesIn(backends_for_eights()),
                                          testing::ValuesIn(cases_in_eights())),
                         name_of_test);

#ifdef LAYERWISE_CUDA_ON_HOST
/// Each operand is rounded to 10 bits of mantissa, by 2⁻¹¹ of its size at most, and each product thus by 2⁻¹⁰;
/// as these errors are independent, ‖error‖₂ ≤ 2⁻¹⁰ ‖reference‖₂. Float32 would be off by 0.35 ε √terms
/// (operands.h), which is below 2⁻¹⁸ for the up to 1300 terms here.
TEST(TensorFloat32, rounds_operands_of_products_only_where_it_is_asked_for) {
  DeviceOptions options;
  options.precision = Precision::f32;
  options.tf32 = true;
  const std::unique_ptr<Backend> backend = make_cuda_backend("cuda-on-host", options);
  const std::unique_ptr<Backend> reference = make_reference_backend();
  backend->enter();
  int compared = 0;
  for (const OperationCase& operation : operation_cases()) {
    if (operation.name != "convolution_forward_large_tiles_channel_moments" &&
        operation.name != "convolution_forward_usual_3x3_bias" && operation.name != "encoder_gradient_large_tiles" &&
        operation.name != "encoder_gradient_usual_3x3_bias_d_x" && operation.name != "hidden_gradient_predsim_vgg")
      continue;
    Operands actual(*backend, seed, DataType::float32), expected(*reference, seed, DataType::float32);
    operation.run(actual);
    operation.run(expected);
    expect_clean(actual);
    const auto results = actual.results(), wanted = expected.results();
    ASSERT_EQ(results.size(), wanted.size());
    for (size_t i = 0; i < results.size(); ++i) {
      if (results[i].name == "d_bias") continue;  // no product
      double error = 0, norm = 0;
      for (size_t k = 0; k < wanted[i].values.size(); ++k) {
        error += std::pow(results[i].values[k] - wanted[i].values[k], 2);
        norm += std::pow(wanted[i].values[k], 2);
      }
      const double relative = std::sqrt(error / norm);
      EXPECT_TRUE(relative <= 0x1p-10 && relative >= 0x1p-18) << operation.name << ": " << results[i].name << " "
                                                              << relative;
      ++compared;
    }
  }
  EXPECT_GE(compared, 8);
}
#endif

}  // namespace layerwise::test
