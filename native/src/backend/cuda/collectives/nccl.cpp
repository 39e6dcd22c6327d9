#include "backend/cuda/collectives/nccl.h"

#include <algorithm>
#include <numeric>
#include <thread>

#include "backend/cuda/launch_order.h"
#include "backend/cuda/runtime.h"
#include "core/error.h"

namespace layerwise::cuda {

namespace {

constexpr std::chrono::microseconds pause{50};  // between two questions about what is in progress
constexpr std::chrono::seconds leave_patience{5};

}  // namespace

std::string nccl_version(int number) {
  return std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." + std::to_string(number % 100);
}

Nccl::Nccl(const NcclFunctions& functions, Collectives& on_host, cudaStream_t stream, std::chrono::milliseconds patience)
    : functions_(functions), rank_(on_host.rank()), size_(on_host.size()), stream_(stream), patience_(patience) {
  int version = 0;
  finish(functions_.get_version(&version), "asking for its version");
  const std::vector<int64_t> versions = on_host.gather(version);
  for (size_t rank = 0; rank < versions.size(); ++rank)
    require(versions[rank] == versions[0], "rank ", rank, " has NCCL ", nccl_version(static_cast<int>(versions[rank])),
            " and rank 0 NCCL ", nccl_version(static_cast<int>(versions[0])), "; install the same version everywhere");
  ncclUniqueId id{};
  if (rank_ == 0) finish(functions_.get_unique_id(&id), "preparing to connect the processes");
  on_host.broadcast(&id, sizeof id, 0);
  ncclConfig_t config{sizeof config, nccl_config_magic, nccl_config_version, 0};
  finish(functions_.init_rank(&communicator_, size_, id, rank_, &config), "connecting the processes");
}

Nccl::~Nccl() {
  if (communicator_ == nullptr) return;
  // What waits for a process that has ended is never done, unless the communicator is aborted.
  const auto deadline = std::chrono::steady_clock::now() + leave_patience;
  cudaError_t work = cudaStreamQuery(stream_);
  while (work == cudaErrorNotReady && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(pause);
    work = cudaStreamQuery(stream_);
  }
  if (work == cudaSuccess) {
    const ncclResult_t result = functions_.finalize(communicator_);
    if ((result == ncclSuccess || result == ncclInProgress) && wait(leave_patience) == ncclSuccess) {
      functions_.destroy(communicator_);
      return;
    }
  }
  abort();
}

void Nccl::abort() noexcept {
  if (communicator_ != nullptr) functions_.abort(communicator_);
  communicator_ = nullptr;
}

ncclResult_t Nccl::wait(std::chrono::milliseconds patience) const noexcept {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  ncclResult_t result = ncclSuccess;
  for (;;) {
    const ncclResult_t asked = functions_.get_async_error(communicator_, &result);
    if (asked != ncclSuccess) return asked;
    if (result != ncclInProgress || std::chrono::steady_clock::now() > deadline) return result;
    std::this_thread::sleep_for(pause);
  }
}

void Nccl::finish(ncclResult_t result, const char* what) {
  if (communicator_ != nullptr && (result == ncclSuccess || result == ncclInProgress)) result = wait(patience_);
  if (result != ncclSuccess) fail_with(result, what);
}

void Nccl::fail_with(ncclResult_t result, const char* what) {
  const std::string reason = functions_.error_string(result), details = functions_.last_error(communicator_);
  abort();
  if (result == ncclInProgress)
    fail(ErrorKind::device_unavailable, "NCCL was not done with ", what, " after ",
         std::chrono::duration_cast<std::chrono::seconds>(patience_).count(),
         " s; a process may have ended, or cannot be reached (NCCL_DEBUG=INFO shows what NCCL does)");
  fail(ErrorKind::device_unavailable, "NCCL reports '", reason, "' while ", what, details.empty() ? "" : ": ", details,
       " (NCCL_DEBUG=INFO shows more)");
}

void Nccl::check() {
  require_state(communicator_ != nullptr, "NCCL has failed before");
  ncclResult_t result = ncclSuccess;
  const ncclResult_t asked = functions_.get_async_error(communicator_, &result);
  if (asked != ncclSuccess) fail_with(asked, "sending between processes");
  if (result != ncclSuccess && result != ncclInProgress) fail_with(result, "sending between processes");
}

template <class PieceOf>
void Nccl::exchange(const PieceOf& piece_of) {
  require_state(communicator_ != nullptr, "NCCL has failed before");
  launch_order.interrupt();
  constexpr const char* what = "sending between processes";
  ncclResult_t result = functions_.group_start();
  const auto then = [&](ncclResult_t next) {
    if (result == ncclSuccess || result == ncclInProgress) result = next;
  };
  for (int peer = 0; peer < size_; ++peer) {
    if (peer == rank_) continue;
    const Piece piece = piece_of(peer);
    if (piece.sent > 0)
      then(functions_.send(piece.from, static_cast<size_t>(piece.sent), ncclInt8, peer, communicator_, stream_));
    if (piece.received > 0)
      then(functions_.receive(piece.to, static_cast<size_t>(piece.received), ncclInt8, peer, communicator_, stream_));
  }
  const ncclResult_t ended = functions_.group_end();  // in any case
  then(ended);
  finish(result, what);
}

void Nccl::all_gather(const void* own, void* all, const std::vector<int64_t>& bytes) {
  const auto own_rank = static_cast<size_t>(rank_);
  if (std::all_of(bytes.begin(), bytes.end(), [&](int64_t each) { return each == bytes[0]; })) {
    require_state(communicator_ != nullptr, "NCCL has failed before");
    launch_order.interrupt();
    finish(functions_.all_gather(own, all, static_cast<size_t>(bytes[0]), ncclInt8, communicator_, stream_),
           "gathering from all processes");
    return;
  }
  const auto place = [&](size_t rank) {
    const auto end = bytes.begin() + static_cast<std::ptrdiff_t>(rank);
    return static_cast<char*>(all) + std::accumulate(bytes.begin(), end, int64_t{0});
  };
  if (own != place(own_rank))
    copy_async(stream_, place(own_rank), own, static_cast<size_t>(bytes[own_rank]), cudaMemcpyDeviceToDevice);
  exchange([&](int peer) {
    const auto rank = static_cast<size_t>(peer);
    return Piece{own, place(rank), bytes[own_rank], bytes[rank]};
  });
}

void Nccl::exchange_slices(const void* slices, void* received, const std::vector<int64_t>& bytes) {
  const int64_t own = bytes[static_cast<size_t>(rank_)];
  const auto slice = [&](int rank) {
    return static_cast<const char*>(slices) + std::accumulate(bytes.begin(), bytes.begin() + rank, int64_t{0});
  };
  const auto place = [&](int rank) { return static_cast<char*>(received) + rank * own; };
  copy_async(stream_, place(rank_), slice(rank_), static_cast<size_t>(own), cudaMemcpyDeviceToDevice);
  exchange([&](int peer) { return Piece{slice(peer), place(peer), bytes[static_cast<size_t>(peer)], own}; });
}

}  // namespace layerwise::cuda
