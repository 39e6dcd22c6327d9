// The communicator of the C API, over MPI: started by mpirun with three processes. Exits with 1 where something is wrong.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "layerwise.h"

namespace {

int failures = 0;

void expect(bool condition, const char* what) {
  if (condition) return;
  ++failures;
  std::fprintf(stderr, "mpi_test: %s; last message: %s\n", what, layerwise_error_message());
}

#define EXPECT(condition) expect(condition, #condition)

void test_exchanges(layerwise_communicator* communicator, int32_t rank, int32_t size) {
  double broadcast[2] = {rank + 0.5, -1.0 * rank};
  EXPECT(layerwise_communicator_broadcast(communicator, broadcast, sizeof broadcast, 1) == LAYERWISE_OK);
  EXPECT(broadcast[0] == 1.5 && broadcast[1] == -1);

  std::vector<int32_t> all(static_cast<size_t>(size), -1);
  EXPECT(layerwise_communicator_all_gather(communicator, &rank, sizeof rank, all.data()) == LAYERWISE_OK);
  for (int32_t r = 0; r < size; ++r) EXPECT(all[static_cast<size_t>(r)] == r);

  // One number, and more than are gathered whole; (1 + 1e17) - 1e17 is 0 in this order, 1 in another.
  const double parts[] = {1, 1e17, -1e17};
  for (const size_t count : {size_t{1}, size_t{50001}}) {
    std::vector<double> values(count, parts[rank]);
    values.back() = rank;
    EXPECT(layerwise_communicator_sum(communicator, values.data(), static_cast<int64_t>(count)) == LAYERWISE_OK);
    EXPECT(count == 1 || values.front() == 0);
    EXPECT(values.back() == 3);
  }

  EXPECT(layerwise_communicator_check_equal(communicator, "the version", "1") == LAYERWISE_OK);
  const char* const value = rank == 2 ? "other" : "usual";
  EXPECT(layerwise_communicator_check_equal(communicator, "the data", value) == LAYERWISE_INVALID_ARGUMENT);
  EXPECT(std::strcmp(layerwise_error_message(), "the data of rank 2 is other, but that of the others is usual") == 0);
}

// What goes wrong in the use of a communicator, by one status and one sentence.
void test_misuse(layerwise_communicator* communicator, int32_t rank) {
  layerwise_communicator* second = nullptr;
  EXPECT(layerwise_communicator_create(&second) == LAYERWISE_INVALID_STATE && second == nullptr);
  EXPECT(layerwise_communicator_sum(communicator, nullptr, 1) == LAYERWISE_INVALID_ARGUMENT);
  double value = 0;
  EXPECT(layerwise_communicator_broadcast(communicator, &value, 8, 3) == LAYERWISE_INVALID_ARGUMENT);

  layerwise_context_options options;
  layerwise_context_options_defaults(&options);
  options.device = "reference";
  options.communicator = communicator;
  layerwise_context* context = nullptr;
  EXPECT(layerwise_context_create(&options, &context) == LAYERWISE_OK);
  EXPECT(layerwise_context_set_batch(context, rank == 1 ? 0 : 5) == LAYERWISE_INVALID_ARGUMENT);
  EXPECT(std::strstr(layerwise_error_message(), "rank 1 has no images") != nullptr);
  EXPECT(layerwise_context_set_batch(context, 5) == LAYERWISE_OK);
  layerwise_context_close(context);
}

}  // namespace

int main() {
  layerwise_communicator* communicator = nullptr;
  int32_t rank = -1, size = 0;
  EXPECT(layerwise_communicator_create(&communicator) == LAYERWISE_OK);
  EXPECT(layerwise_communicator_rank(communicator, &rank) == LAYERWISE_OK);
  EXPECT(layerwise_communicator_size(communicator, &size) == LAYERWISE_OK && size == 3);
  if (failures == 0) {
    test_exchanges(communicator, rank, size);
    test_misuse(communicator, rank);
    int64_t length = 0;
    EXPECT(layerwise_mpi_description(nullptr, 0, &length) == LAYERWISE_OK && length > 0);
  }
  layerwise_communicator_close(communicator);
  return failures == 0 ? 0 : 1;
}
