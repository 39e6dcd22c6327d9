// The C API: the processes that train together.
#include <vector>

#include "api/handles.h"
#include "processes/mpi_loader.h"

using namespace layerwise;

namespace {

Communicator& of(const layerwise_communicator* communicator) { return *given(communicator, "communicator").communicator; }

/// Throws Error(invalid_argument) unless there may be so many.
void check_count(int64_t count, const char* what) { require(count >= 0, "the number of ", what, " is ", count); }

/// Throws Error(invalid_argument) unless there is such a rank, and it is not this one.
void check_other(const layerwise_communicator* communicator, int32_t rank) {
  require(rank >= 0 && rank < of(communicator).size(), "there is no rank ", rank);
  require(rank != of(communicator).rank(), "rank ", rank, " does not exchange messages with itself");
}

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

layerwise_status layerwise_communicator_split(layerwise_communicator* communicator, int32_t group,
                                              layerwise_communicator** part) {
  return guarded([&] {
    given(part, "part") = nullptr;
    require(group >= 0, "a group's number is ", group);
    *part = new layerwise_communicator{of(communicator).split(group)};
  });
}

layerwise_status layerwise_communicator_send(layerwise_communicator* communicator, const void* data, int64_t bytes,
                                             int32_t to) {
  return guarded([&] {
    given(static_cast<const char*>(data), "data");
    check_count(bytes, "bytes");
    check_other(communicator, to);
    of(communicator).send(data, bytes, to);
  });
}

layerwise_status layerwise_communicator_receive(layerwise_communicator* communicator, void* data, int64_t bytes,
                                                int32_t from) {
  return guarded([&] {
    given(static_cast<char*>(data), "data");
    check_other(communicator, from);
    const int64_t sent = of(communicator).next_message_bytes(from);
    if (sent != bytes)
      fail(ErrorKind::internal, "rank ", from, " sends ", sent, " bytes where ", bytes, " are expected");
    of(communicator).receive(data, bytes, from);
  });
}

layerwise_status layerwise_tensor_send(layerwise_communicator* communicator, const layerwise_tensor* tensor, int32_t to) {
  return guarded([&] {
    check_other(communicator, to);
    const layerwise_tensor& sent = given(tensor, "tensor");
    Backend& backend = sent.context->backend();
    backend.enter();
    communicator->sender.send(backend, sent.view(), sent.label_limit, to);
  });
}

layerwise_status layerwise_tensor_receive(layerwise_context* context, layerwise_communicator* communicator, int32_t from,
                                          layerwise_tensor** tensor) {
  return guarded([&] {
    const std::shared_ptr<Context>& on = given(context, "context").context;
    given(tensor, "tensor") = nullptr;
    check_other(communicator, from);
    on->backend().enter();
    ReceivedTensor received = receive_tensor(on->backend(), of(communicator), from, communicator->received);
    *tensor = make_handle(on, std::move(received.tensor), received.label_limit);
  });
}

layerwise_status layerwise_communicator_finish_sends(layerwise_communicator* communicator) {
  return guarded([&] {
    of(communicator);
    communicator->sender.finish();
  });
}

void layerwise_communicator_abort(layerwise_communicator* communicator, int32_t exit_code) {
  if (communicator != nullptr) communicator->communicator->abort(exit_code);
}

layerwise_status layerwise_mpi_description(char* text, int64_t capacity, int64_t* length) {
  return guarded([&] { give_text(mpi_description(), text, capacity, length); });
}
