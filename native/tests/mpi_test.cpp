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

// Tensors and messages from rank to rank, in their order; and groups, which have ranks of their own.
void test_messages(layerwise_communicator* communicator, int32_t rank) {
  layerwise_context_options options;
  layerwise_context_options_defaults(&options);
  layerwise_context* context = nullptr;
  EXPECT(layerwise_context_create(&options, &context) == LAYERWISE_OK);
  for (float step = 0; step < 3; ++step) {
    const int32_t number = static_cast<int32_t>(step);
    if (rank < 2) {
      std::vector<float> values(2 * 3 * 40 * 50, step);  // more than MPI sends without the receiver's help
      const int32_t classes[] = {number, 7};
      layerwise_tensor* tensor = nullptr;
      layerwise_tensor* labels = nullptr;
      EXPECT(layerwise_tensor_create(context, values.data(), 2, 3, 40, 50, &tensor) == LAYERWISE_OK);
      EXPECT(layerwise_labels_create(context, classes, 2, &labels) == LAYERWISE_OK);
      EXPECT(layerwise_communicator_send(communicator, &number, sizeof number, rank + 1) == LAYERWISE_OK);
      EXPECT(layerwise_tensor_send(communicator, labels, rank + 1) == LAYERWISE_OK);
      EXPECT(layerwise_tensor_send(communicator, tensor, rank + 1) == LAYERWISE_OK);
      layerwise_tensor_close(labels);
      layerwise_tensor_close(tensor);
    }
    if (rank > 0) {
      int32_t received = -1;
      EXPECT(layerwise_communicator_receive(communicator, &received, sizeof received, rank - 1) == LAYERWISE_OK);
      EXPECT(received == number);
      layerwise_tensor* labels = nullptr;
      layerwise_tensor* tensor = nullptr;
      EXPECT(layerwise_tensor_receive(context, communicator, rank - 1, &labels) == LAYERWISE_OK);
      EXPECT(layerwise_tensor_receive(context, communicator, rank - 1, &tensor) == LAYERWISE_OK);
      int64_t shape[4] = {};
      EXPECT(layerwise_tensor_shape(tensor, shape) == LAYERWISE_OK);
      EXPECT(shape[0] == 2 && shape[1] == 3 && shape[2] == 40 && shape[3] == 50);
      std::vector<float> values(2 * 3 * 40 * 50, -1);
      EXPECT(layerwise_tensor_read(tensor, values.data(), static_cast<int64_t>(values.size())) == LAYERWISE_OK);
      EXPECT(values.front() == step && values.back() == step);
      EXPECT(layerwise_tensor_shape(labels, shape) == LAYERWISE_OK && shape[1] == 2);
      layerwise_tensor_close(labels);
      layerwise_tensor_close(tensor);
    }
  }
  EXPECT(layerwise_communicator_finish_sends(communicator) == LAYERWISE_OK);
  layerwise_context_close(context);

  layerwise_communicator* part = nullptr;
  EXPECT(layerwise_communicator_split(communicator, rank == 1 ? 1 : 0, &part) == LAYERWISE_OK);
  int32_t size_there = 0, rank_there = -1;
  EXPECT(layerwise_communicator_size(part, &size_there) == LAYERWISE_OK && size_there == (rank == 1 ? 1 : 2));
  EXPECT(layerwise_communicator_rank(part, &rank_there) == LAYERWISE_OK && rank_there == (rank == 2 ? 1 : 0));
  double sum = rank;
  EXPECT(layerwise_communicator_sum(part, &sum, 1) == LAYERWISE_OK && sum == (rank == 1 ? 1 : 2));
  layerwise_communicator_close(part);
}

// What goes wrong in the use of a communicator, by one status and one sentence.
void test_misuse(layerwise_communicator* communicator, int32_t rank) {
  layerwise_communicator* second = nullptr;
  EXPECT(layerwise_communicator_create(&second) == LAYERWISE_INVALID_STATE && second == nullptr);
  EXPECT(layerwise_communicator_sum(communicator, nullptr, 1) == LAYERWISE_INVALID_ARGUMENT);
  double value = 0;
  EXPECT(layerwise_communicator_send(communicator, &value, 8, rank) == LAYERWISE_INVALID_ARGUMENT);
  EXPECT(layerwise_communicator_send(communicator, &value, 8, (rank + 1) % 3) == LAYERWISE_OK);
  EXPECT(layerwise_communicator_receive(communicator, &value, 4, (rank + 2) % 3) == LAYERWISE_INTERNAL_ERROR);
  EXPECT(layerwise_communicator_receive(communicator, &value, 8, (rank + 2) % 3) == LAYERWISE_OK);
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
    test_messages(communicator, rank);
    test_misuse(communicator, rank);
    int64_t length = 0;
    EXPECT(layerwise_mpi_description(nullptr, 0, &length) == LAYERWISE_OK && length > 0);
  }
  layerwise_communicator_close(communicator);
  return failures == 0 ? 0 : 1;
}
