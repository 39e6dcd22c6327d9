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

#include "backend/reference/reference_backend.h"
#include "backends_under_test.h"
#include "operation_cases.h"

namespace layerwise::test {

namespace {

constexpr uint64_t seed = 20190118;

double machine_epsilon(const Backend& backend) {
  const bool single = backend.activation_type() == DataType::float32 || backend.parameter_type() == DataType::float32;
  return single ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
}

/// The bound that Tolerance states.
void expect_close(const Operands::Result& actual, const Operands::Result& expected, double epsilon) {
  ASSERT_EQ(actual.name, expected.name);
  ASSERT_EQ(actual.values.size(), expected.values.size());
  double error = 0, norm = 0;
  for (size_t i = 0; i < expected.values.size(); ++i) {
    error += std::pow(actual.values[i] - expected.values[i], 2);
    norm += std::pow(expected.values[i], 2);
  }
  const Tolerance tolerance = expected.tolerance;
  const double natural = tolerance.scale * std::sqrt(static_cast<double>(expected.values.size()));
  const double bound = 2 * epsilon * std::sqrt(tolerance.terms) * std::max(std::sqrt(norm), natural);
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
  const std::unique_ptr<Backend> reference = make_reference_backend();
  Operands expected(*reference, seed);
  operation.run(expected);
  expect_clean(expected);

  const std::unique_ptr<Backend> backend = under_test.make();
  backend->enter();
  // The second run finds what the first one cached, and the arena at its size.
  Operands first(*backend, seed), second(*backend, seed);
  operation.run(first);
  operation.run(second);
  expect_clean(first);
  expect_clean(second);

  const auto results = first.results(), again = second.results(), wanted = expected.results();
  ASSERT_EQ(results.size(), wanted.size());
  for (size_t i = 0; i < results.size(); ++i) {
    expect_close(results[i], wanted[i], machine_epsilon(*backend));
    EXPECT_TRUE(same_bits(results[i].values, again[i].values))
        << results[i].name << " is not the same bits when the operation runs a second time";
  }
}

INSTANTIATE_TEST_SUITE_P(table, OperationTest,
                         testing::Combine(testing::ValuesIn(backends_under_test()),
                                          testing::ValuesIn(operation_cases())),
                         [](const testing::TestParamInfo<OperationTest::ParamType>& info) {
                           return std::get<0>(info.param).name + "_" + std::get<1>(info.param).name;
                         });

}  // namespace layerwise::test
