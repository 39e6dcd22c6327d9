// Tensors that pass from one process to another: from a stage of the layer pipeline to the next.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "backend/backend.h"
#include "processes/communicator.h"

namespace layerwise {

/// Sends tensors on, from copies in host memory, so that the device goes on computing. One is under way at a time: the next
/// waits until the other rank receives it, so that a process is never more than a step ahead of the one that it sends to.
class TensorSender {
 public:
  explicit TensorSender(std::shared_ptr<Communicator> communicator) : communicator_(std::move(communicator)) {}

  /// Begins to send a tensor of `backend`. label_limit: of labels, all of which are below it.
  void send(Backend& backend, const Tensor& tensor, int64_t label_limit, int to);

  /// Waits until all has been received. After it nothing here is read any more.
  void finish() { communicator_->finish_sends(); }

 private:
  std::shared_ptr<Communicator> communicator_;
  std::vector<char> message_;
};

struct ReceivedTensor {
  ArenaTensor tensor;
  int64_t label_limit = 0;
};

/// The next tensor that rank `from` sends. Throws Error(internal) where that is none that this device holds, which is so
/// where the processes' devices or precisions differ.
ReceivedTensor receive_tensor(Backend& backend, Communicator& communicator, int from, std::vector<char>& scratch);

}  // namespace layerwise
