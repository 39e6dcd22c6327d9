#include "cuda_on_host/async_proxy.h"

namespace layerwise::cuda_on_host {

namespace {

std::string at_byte(size_t piece) { return "shared memory at byte " + std::to_string(piece * AsyncProxy::piece_bytes); }

}  // namespace

void AsyncProxy::begin(const char* memory, size_t bytes) {
  memory_ = memory;
  bytes_ = bytes;
  pieces_.assign((bytes + piece_bytes - 1) / piece_bytes, Piece());
  for (auto& pieces : not_fenced_) pieces.clear();
}

void AsyncProxy::set(size_t piece, State state) {
  Piece& at = pieces_[piece];
  if (at.readers > 0) fail_in_kernel(at_byte(piece) + " is overwritten while a product still reads it");
  at.state = state;
  at.writer = static_cast<uint16_t>(current->number);
  if (state == State::not_fenced) not_fenced_[current->number].push_back(static_cast<uint16_t>(piece));
}

void AsyncProxy::copy_issued(const void* to) {
  const auto offset = static_cast<size_t>(static_cast<const char*>(to) - memory_);
  if (offset < bytes_) set(offset / piece_bytes, State::under_way);
}

void AsyncProxy::copy_arrived(const void* to) { written(to, piece_bytes); }

void AsyncProxy::written(const void* to, size_t bytes) {
  const auto offset = static_cast<size_t>(static_cast<const char*>(to) - memory_);
  if (offset < bytes_ && bytes > 0) set(offset / piece_bytes, State::not_fenced);
}

void AsyncProxy::fence() {
  std::vector<uint16_t>& mine = not_fenced_[current->number];
  for (const uint16_t piece : mine) {
    Piece& at = pieces_[piece];
    if (at.state == State::not_fenced && at.writer == current->number) at.state = State::visible;
  }
  mine.clear();
}

void AsyncProxy::begin_read(const uint16_t* pieces, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (pieces_[pieces[i]].state != State::visible) fail_for_read(pieces[i]);
    ++pieces_[pieces[i]].readers;
  }
}

void AsyncProxy::end_read(const uint16_t* pieces, size_t count) {
  for (size_t i = 0; i < count; ++i) --pieces_[pieces[i]].readers;
}

void AsyncProxy::fail_for_read(size_t piece) const {
  const std::string writer = "thread " + std::to_string(pieces_[piece].writer);
  const std::string reads = "a product reads " + at_byte(piece);
  switch (pieces_[piece].state) {
    case State::under_way:
      fail_in_kernel(reads + ", where a copy_async_16 of " + writer + " has not arrived (copy_async_wait)");
    case State::not_fenced:
      fail_in_kernel(reads + ", which " + writer + " wrote without a fence_async_proxy after it");
    default:
      fail_in_kernel(reads + ", which neither copy_async_16 nor store_vector has written");
  }
}

}  // namespace layerwise::cuda_on_host
