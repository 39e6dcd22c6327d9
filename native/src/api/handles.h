// What stands behind the C API's handles, and how its functions report failure.
#pragma once

#include <algorithm>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "block/block.h"
#include "context/data_set.h"
#include "core/error.h"
#include "layerwise.h"
#include "processes/communicator.h"
#include "processes/tensor_messages.h"

struct layerwise_communicator {
  explicit layerwise_communicator(std::shared_ptr<layerwise::Communicator> of)
      : communicator(std::move(of)), sender(communicator) {}

  std::shared_ptr<layerwise::Communicator> communicator;
  layerwise::TensorSender sender;
  std::vector<char> received;  // the last tensor's message
};

struct layerwise_context {
  std::shared_ptr<layerwise::Context> context;
};

struct layerwise_tensor {
  std::shared_ptr<layerwise::Context> context;  // outlives the activation, which lies in its arena
  layerwise::Activation activation;
  int64_t label_limit = 0;  // for labels: all are below

  const layerwise::Tensor& view() const { return activation->view(); }
};

struct layerwise_dataset {
  std::unique_ptr<layerwise::DataSet> data_set;
};

struct layerwise_block {
  std::shared_ptr<layerwise::Context> context;
  int32_t kind;  // layerwise_block_kind
  std::unique_ptr<layerwise::Block> block;
  layerwise::Inspection inspection;
};

namespace layerwise {

/// Keeps the message of this thread's last failure; never throws.
void remember_error(const char* message) noexcept;

layerwise_status status_of(ErrorKind kind) noexcept;

/// Runs the body of a C function; what it throws becomes a status and this thread's message, begun by
/// the name of the block it is about (nullptr: none).
template <class Body>
layerwise_status guarded(const char* block_name, const Body& body) noexcept {
  const auto remember = [block_name](const std::string& what) {
    remember_error(((block_name == nullptr ? "" : std::string(block_name) + ": ") + what).c_str());
  };
  try {
    try {
      body();
      return LAYERWISE_OK;
    } catch (const Error& error) {
      remember(error.what());
      return status_of(error.kind());
    } catch (const std::bad_alloc&) {
      remember("the host has no memory left");
      return LAYERWISE_OUT_OF_MEMORY;
    } catch (const std::exception& error) {
      remember(std::string("internal error: ") + error.what());
      return LAYERWISE_INTERNAL_ERROR;
    }
  } catch (...) {
    remember_error("internal error");
    return LAYERWISE_INTERNAL_ERROR;
  }
}

template <class Body>
layerwise_status guarded(const Body& body) noexcept {
  return guarded(nullptr, body);
}

/// The object behind a pointer argument; throws Error(invalid_argument) if it is NULL.
template <class T>
T& given(T* pointer, const char* what) {
  require(pointer != nullptr, what, " is NULL");
  return *pointer;
}

/// Copies at most `capacity` bytes, the closing NUL among them; length is the whole text's, without it.
inline void give_text(const std::string& from, char* text, int64_t capacity, int64_t* length) {
  given(length, "length") = static_cast<int64_t>(from.size());
  if (capacity <= 0) return;
  given(text, "text");
  const size_t copied = std::min(from.size(), static_cast<size_t>(capacity) - 1);
  from.copy(text, copied);
  text[copied] = '\0';
}

/// A new tensor handle that owns the arena's piece.
inline layerwise_tensor* make_handle(const std::shared_ptr<Context>& context, Activation activation,
                                     int64_t label_limit = 0) {
  return new layerwise_tensor{context, std::move(activation), label_limit};
}

inline layerwise_tensor* make_handle(const std::shared_ptr<Context>& context, ArenaTensor&& tensor,
                                     int64_t label_limit = 0) {
  return make_handle(context, std::make_shared<const ArenaTensor>(std::move(tensor)), label_limit);
}

}  // namespace layerwise
