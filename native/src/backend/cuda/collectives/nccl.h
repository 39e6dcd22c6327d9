// NCCL: what the GPUs of several processes send to each other.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "backend/collectives.h"
#include "backend/cuda/collectives/nccl_api.h"

namespace layerwise::cuda {

/// The library's functions.
struct NcclFunctions {
  decltype(&ncclGetVersion) get_version;
  decltype(&ncclGetUniqueId) get_unique_id;
  decltype(&ncclCommInitRankConfig) init_rank;
  decltype(&ncclCommGetAsyncError) get_async_error;
  decltype(&ncclCommFinalize) finalize;
  decltype(&ncclCommDestroy) destroy;
  decltype(&ncclCommAbort) abort;
  decltype(&ncclGetErrorString) error_string;
  decltype(&ncclGetLastError) last_error;
  decltype(&ncclGroupStart) group_start;
  decltype(&ncclGroupEnd) group_end;
  decltype(&ncclAllGather) all_gather;
  decltype(&ncclSend) send;
  decltype(&ncclRecv) receive;
};

/// From libnccl.so.2; throws Error(device_unavailable), one sentence, where it is missing or too old.
NcclFunctions open_nccl();

/// A communicator of this process's GPU. What it is given is done in the order of one stream, or recorded where that is
/// captured. All processes make the same calls in the same order.
class Nccl {
 public:
  /// Seconds that the other processes are waited for, to connect and until what was given to the stream is sent off.
  static constexpr std::chrono::seconds usual_patience{60};

  /// Connects the processes, which meet on the host first. Throws Error where they have different versions of NCCL, where
  /// NCCL fails or where it takes longer than `patience`: then nothing is left of the attempt.
  Nccl(const NcclFunctions& functions, Collectives& on_host, cudaStream_t stream,
       std::chrono::milliseconds patience = usual_patience);
  /// Waits for the stream and for the other processes, but only a few seconds: one of them may have ended.
  ~Nccl();
  Nccl(const Nccl&) = delete;
  Nccl& operator=(const Nccl&) = delete;

  /// all ← bytes[r] bytes of each rank r. `own` may lie at its place in `all` already.
  void all_gather(const void* own, void* all, const std::vector<int64_t>& bytes);

  /// Throws Error where NCCL has noticed that something failed, such as a connection.
  void check();

  /// Every rank has cut its data into slices, slice r of bytes[r] bytes; received ← slice rank() of all ranks' data, in rank
  /// order.
  void exchange_slices(const void* slices, void* received, const std::vector<int64_t>& bytes);

 private:
  struct Piece {
    const void* from;
    void* to;
    int64_t sent, received;  // bytes
  };

  /// Sends to each other rank and receives from it what `piece(rank)` says.
  template <class PieceOf>
  void exchange(const PieceOf& piece_of);
  /// Throws where a call failed; waits for one in progress.
  void finish(ncclResult_t result, const char* what);
  /// The result of what is in progress; ncclInProgress where that takes longer than `patience`.
  ncclResult_t wait(std::chrono::milliseconds patience) const noexcept;
  [[noreturn]] void fail_with(ncclResult_t result, const char* what);
  void abort() noexcept;

  const NcclFunctions functions_;
  const int rank_, size_;
  const cudaStream_t stream_;
  const std::chrono::milliseconds patience_;
  ncclComm_t communicator_ = nullptr;
};

/// "2.29.3"
std::string nccl_version(int number);

}  // namespace layerwise::cuda
