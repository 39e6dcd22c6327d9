#include "processes/tensor_messages.h"

#include <cstring>

#include "core/error.h"

namespace layerwise {

namespace {

/// Begins a message; the elements follow.
struct Header {
  int64_t type = 0, n = 0, h = 0, w = 0, c = 0, label_limit = 0;
};

/// No tensor of a network has so many elements in one dimension; products of such do not overflow where they are checked.
constexpr int64_t most = int64_t{1} << 31;

Shape shape_of(const Header& header, int64_t message_bytes) {
  const Shape shape{header.n, header.h, header.w, header.c};
  int64_t elements = 1;
  for (const int64_t extent : {shape.n, shape.h, shape.w, shape.c}) {
    if (extent < 1 || extent > most || elements > most) fail(ErrorKind::internal, "a message between stages is damaged");
    elements *= extent;
  }
  const auto size = static_cast<int64_t>(size_of(static_cast<DataType>(header.type)));
  if (elements > most || elements * size + static_cast<int64_t>(sizeof header) != message_bytes)
    fail(ErrorKind::internal, "a message between stages is damaged: ", message_bytes, " bytes for ", shape.to_string());
  return shape;
}

}  // namespace

void TensorSender::send(Backend& backend, const Tensor& tensor, int64_t label_limit, int to) {
  finish();
  const Header header{static_cast<int64_t>(tensor.type), tensor.shape.n, tensor.shape.h,
                      tensor.shape.w, tensor.shape.c, label_limit};
  const size_t bytes = sizeof header + tensor.bytes();
  if (message_.size() < bytes) message_.resize(bytes);
  std::memcpy(message_.data(), &header, sizeof header);
  backend.copy_to_host(message_.data() + sizeof header, tensor.data, tensor.bytes());
  communicator_->start_send(message_.data(), static_cast<int64_t>(bytes), to);
}

ReceivedTensor receive_tensor(Backend& backend, Communicator& communicator, int from, std::vector<char>& scratch) {
  const int64_t bytes = communicator.next_message_bytes(from);
  Header header;
  if (bytes < static_cast<int64_t>(sizeof header)) fail(ErrorKind::internal, "a message between stages is too short");
  if (scratch.size() < static_cast<size_t>(bytes)) scratch.resize(static_cast<size_t>(bytes));
  communicator.receive(scratch.data(), bytes, from);
  std::memcpy(&header, scratch.data(), sizeof header);
  const DataType type = backend.activation_type();
  if (header.type != static_cast<int64_t>(type) && header.type != static_cast<int64_t>(DataType::int32))
    fail(ErrorKind::internal, "rank ", from, " computes in another precision than this process");
  const Shape shape = shape_of(header, bytes);
  ReceivedTensor received{backend.arena().take(static_cast<DataType>(header.type), shape), header.label_limit};
  backend.copy_to_device(received.tensor.view().data, scratch.data() + sizeof header, received.tensor.view().bytes());
  return received;
}

}  // namespace layerwise
