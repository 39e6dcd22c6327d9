// The C API: the processes that train together.
#include <vector>

#include "api/handles.h"
#include "processes/mpi_loader.h"

using namespace layerwise;

namespace {

Communicator& of(const layerwise_communicator* communicator) { return *given(communicator, "communicator").communicator; }

/// Throws Error(invalid_argument) unless there may be so many.
void check_count(int64_t count, const char* what) { require(count >= 0, "the number of ", what, " is ", count); }

}  // namespace

layerwise_status layerwise_communicator_create(layerwise_communicator** communicator) {
  return guarded([&] {
    given(communicator, "communicator") = nullptr;
    *communicator = new layerwise_communicator{open_mpi_communicator()};
  });
}

void layerwise_communicator_close(layerwise_communicator* communicator) { delete communicator; }

layerwise_status layerwise_communicator_rank(const layerwise_communicator* communicator, int32_t* rank) {
  return guarded([&] { given(rank, "rank") = of(communicator).rank(); });
}

layerwise_status layerwise_communicator_size(const layerwise_communicator* communicator, int32_t* size) {
  return guarded([&] { given(size, "size") = of(communicator).size(); });
}

layerwise_status layerwise_communicator_broadcast(layerwise_communicator* communicator, void* data, int64_t bytes,
                                                  int32_t root) {
  return guarded([&] {
    given(static_cast<char*>(data), "data");
    check_count(bytes, "bytes");
    require(root >= 0 && root < of(communicator).size(), "there is no rank ", root);
    of(communicator).broadcast(data, bytes, root);
  });
}

layerwise_status layerwise_communicator_all_gather(layerwise_communicator* communicator, const void* piece,
                                                   int64_t bytes, void* gathered) {
  return guarded([&] {
    given(static_cast<const char*>(piece), "piece");
    given(static_cast<char*>(gathered), "gathered");
    check_count(bytes, "bytes");
    of(communicator).all_gather(piece, gathered,
                                std::vector<int64_t>(static_cast<size_t>(of(communicator).size()), bytes));
  });
}

layerwise_status layerwise_communicator_sum(layerwise_communicator* communicator, double* values, int64_t count) {
  return guarded([&] {
    given(values, "values");
    check_count(count, "values");
    std::vector<char> scratch;
    ordered_sum(of(communicator), values, count, scratch);
  });
}

layerwise_status layerwise_communicator_check_equal(layerwise_communicator* communicator, const char* what,
                                                    const char* value) {
  return guarded([&] { check_equal(of(communicator), &given(what, "what"), &given(value, "value")); });
}

void layerwise_communicator_abort(layerwise_communicator* communicator, int32_t exit_code) {
  if (communicator != nullptr) communicator->communicator->abort(exit_code);
}

layerwise_status layerwise_mpi_description(char* text, int64_t capacity, int64_t* length) {
  return guarded([&] { give_text(mpi_description(), text, capacity, length); });
}
