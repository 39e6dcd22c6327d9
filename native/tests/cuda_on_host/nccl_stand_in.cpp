// The stand-in's functions. A group of calls is one piece of the stream's work: all ranks bring theirs to a meeting, where
// each takes what the others sent it. Real NCCL hangs, or writes past the end, where this finds that calls do not match.
#include "cuda_on_host/nccl_stand_in.h"

#include <atomic>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/collectives/nccl.h"
#include "cuda_on_host/execution.h"
#include "cuda_on_host/runtime_state.h"
#include "processes_in_threads.h"

namespace layerwise::cuda {

/// What one rank asks for.
struct Transfer {
  enum class Kind { all_gather, send, receive } kind;
  const void* from;
  void* to;
  size_t bytes;
  int peer;
};

/// Ranks that connect with the same id.
struct NcclRanks {
  explicit NcclRanks(int size) : meeting(size) {}
  testing::Meeting meeting;
  std::atomic<int> joined{0};
};

struct ncclComm {
  std::shared_ptr<NcclRanks> ranks;
  int rank = 0, size = 0;
  cudaStream_t stream = nullptr;  // of the first call; all others are to use it
  bool in_progress = true;        // until the caller asks
  std::vector<Transfer> group;
};

namespace {

std::mutex ranks_mutex;
std::map<std::string, std::shared_ptr<NcclRanks>> ranks_by_id;
std::atomic<int> ids{0}, live{0};
thread_local int groups = 0;  // that the thread has started and not ended
thread_local ncclComm_t grouped = nullptr;
thread_local ncclResult_t grouped_result = ncclSuccess;
thread_local std::string error;

ncclResult_t refuse(ncclResult_t result, const std::string& why) {
  error = why;
  grouped_result = result;
  return result;
}

/// What the test wants of this call.
ncclResult_t wanted(const char* function) {
  return cuda_on_host::nccl_stand_in.result ? cuda_on_host::nccl_stand_in.result(function) : ncclSuccess;
}

[[noreturn]] void mismatch(int rank, const std::string& what) {
  throw cuda_on_host::KernelFailure("NCCL, rank " + std::to_string(rank) + ": " + what);
}

/// The transfers of `kind` between a rank and `peer`, in order.
std::vector<const Transfer*> between(const std::vector<Transfer>& transfers, Transfer::Kind kind, int peer) {
  std::vector<const Transfer*> found;
  for (const Transfer& transfer : transfers)
    if (transfer.kind == kind && transfer.peer == peer) found.push_back(&transfer);
  return found;
}

void take(const std::vector<std::vector<Transfer>>& all, int rank) {
  const std::vector<Transfer>& own = all[static_cast<size_t>(rank)];
  using Kind = Transfer::Kind;
  for (size_t peer = 0; peer < all.size(); ++peer) {
    const int number = static_cast<int>(peer);
    const std::string name = " rank " + std::to_string(peer);
    const auto sent = between(all[peer], Kind::send, rank), received = between(own, Kind::receive, number);
    if (sent.size() != received.size())
      mismatch(rank, "receives " + std::to_string(received.size()) + " times from" + name + ", which sends " +
                         std::to_string(sent.size()) + " times");
    for (size_t i = 0; i < sent.size(); ++i) {
      if (sent[i]->bytes != received[i]->bytes)
        mismatch(rank, "receives " + std::to_string(received[i]->bytes) + " bytes from" + name + ", which sends " +
                           std::to_string(sent[i]->bytes));
      std::memcpy(received[i]->to, sent[i]->from, sent[i]->bytes);
    }
    const auto gathered = between(all[peer], Kind::all_gather, -1), into = between(own, Kind::all_gather, -1);
    if (gathered.size() != into.size()) mismatch(rank, "gathers, but not" + name);
    for (size_t i = 0; i < into.size(); ++i) {
      if (gathered[i]->bytes != into[i]->bytes)
        mismatch(rank, "gathers " + std::to_string(into[i]->bytes) + " bytes of each rank, and" + name + " " +
                           std::to_string(gathered[i]->bytes));
      std::memmove(static_cast<char*>(into[i]->to) + peer * into[i]->bytes, gathered[i]->from, into[i]->bytes);
    }
  }
}

/// Gives the calls of a group to the stream.
ncclResult_t submit(ncclComm_t communicator, std::vector<Transfer> transfers) {
  const auto work = [ranks = communicator->ranks, rank = communicator->rank, transfers = std::move(transfers)] {
    std::exception_ptr failure;  // thrown when the others have read what this rank shows
    ranks->meeting.show(rank, &transfers, [&](const std::vector<const void*>& shown) {
      std::vector<std::vector<Transfer>> all;
      for (const void* each : shown) all.push_back(*static_cast<const std::vector<Transfer>*>(each));
      try {
        take(all, rank);
      } catch (...) {
        failure = std::current_exception();
      }
    });
    if (failure) std::rethrow_exception(failure);
  };
  communicator->in_progress = true;
  if (cuda_on_host::submit(communicator->stream, work) != cudaSuccess) return refuse(ncclUnhandledCudaError, "CUDA failed");
  return ncclInProgress;
}

ncclResult_t add(const char* function, ncclComm_t communicator, cudaStream_t stream, const Transfer& transfer) {
  if (const ncclResult_t result = wanted(function)) return refuse(result, "the test wants it");
  if (communicator == nullptr) return refuse(ncclInvalidArgument, "no communicator");
  if (communicator->in_progress)
    return refuse(ncclInvalidUsage, "the call before is in progress, as far as the caller knows");
  if (communicator->stream == nullptr) communicator->stream = stream;
  if (stream == nullptr || communicator->stream != stream)
    return refuse(ncclInvalidUsage, "calls of one communicator are given to several streams");
  const bool gathers = transfer.kind == Transfer::Kind::all_gather;
  if (!gathers && groups == 0) return refuse(ncclInvalidUsage, "outside of a group a send waits for its receiver");
  if (!gathers && (transfer.peer < 0 || transfer.peer >= communicator->size))
    return refuse(ncclInvalidArgument, "there is no rank " + std::to_string(transfer.peer));
  const size_t written = gathers ? transfer.bytes * static_cast<size_t>(communicator->size) : transfer.bytes;
  if ((transfer.from != nullptr && !cuda_on_host::is_device_memory(transfer.from, transfer.bytes)) ||
      (transfer.to != nullptr && !cuda_on_host::is_device_memory(transfer.to, written)))
    return refuse(ncclInvalidArgument, "addresses that are not device memory");
  if (groups == 0) return submit(communicator, {transfer});
  grouped = communicator;
  communicator->group.push_back(transfer);
  return ncclSuccess;
}

ncclResult_t end(ncclComm_t communicator) {
  communicator->ranks->meeting.leave();
  delete communicator;
  --live;
  return ncclSuccess;
}

ncclResult_t get_version(int* version) {
  *version = cuda_on_host::nccl_stand_in.version;
  return wanted("ncclGetVersion");
}

ncclResult_t get_unique_id(ncclUniqueId* id) {
  const std::string text = "stand-in " + std::to_string(++ids);
  *id = {};
  std::memcpy(id->internal, text.data(), text.size());
  const std::lock_guard<std::mutex> lock(ranks_mutex);
  ranks_by_id[text] = nullptr;
  return wanted("ncclGetUniqueId");
}

ncclResult_t init_rank(ncclComm_t* communicator, int size, ncclUniqueId id, int rank, ncclConfig_t* config) {
  *communicator = nullptr;
  if (const ncclResult_t result = wanted("ncclCommInitRankConfig")) return refuse(result, "the test wants it");
  if (config == nullptr || config->size != sizeof(ncclConfig_t) || config->magic != nccl_config_magic ||
      config->version < 21400 || config->blocking != 0)
    return refuse(ncclInvalidArgument, "not a configuration of a communicator that does not block");
  if (rank < 0 || rank >= size) return refuse(ncclInvalidArgument, "there is no such rank");
  const std::lock_guard<std::mutex> lock(ranks_mutex);
  const auto found = ranks_by_id.find(id.internal);
  if (found == ranks_by_id.end())
    return refuse(ncclInvalidUsage, "the device cuda-on-host connects threads of one process alone");
  if (found->second == nullptr) found->second = std::make_shared<NcclRanks>(size);
  auto made = std::make_unique<ncclComm>();
  made->ranks = found->second;
  made->rank = rank;
  made->size = size;
  *communicator = made.release();
  ++live;
  ++found->second->joined;
  return ncclInProgress;
}

ncclResult_t get_async_error(ncclComm_t communicator, ncclResult_t* result) {
  *result = ncclSuccess;
  if (!cuda_on_host::nccl_stand_in.connects || communicator->ranks->joined < communicator->size)
    *result = ncclInProgress;
  else if (std::exchange(communicator->in_progress, false))
    *result = ncclInProgress;  // once, so that callers have to ask
  return wanted("ncclCommGetAsyncError");
}

const char* error_string(ncclResult_t result) {
  return result == ncclInvalidUsage ? "invalid usage" : result == ncclInProgress ? "in progress" : "an error";
}

ncclResult_t group_start() {
  if (groups++ == 0) {
    grouped = nullptr;
    grouped_result = ncclSuccess;
  }
  return wanted("ncclGroupStart");
}

ncclResult_t group_end() {
  if (groups == 0) return refuse(ncclInvalidUsage, "no group was started");
  if (--groups > 0) return ncclSuccess;
  const ncclResult_t failed = wanted("ncclGroupEnd") != ncclSuccess ? wanted("ncclGroupEnd") : grouped_result;
  const ncclComm_t communicator = std::exchange(grouped, nullptr);
  if (communicator == nullptr) return failed;
  std::vector<Transfer> transfers = std::exchange(communicator->group, {});
  return failed != ncclSuccess ? failed : submit(communicator, std::move(transfers));
}

}  // namespace

NcclFunctions open_nccl() {
  return {get_version,
          get_unique_id,
          init_rank,
          get_async_error,
          [](ncclComm_t) { return wanted("ncclCommFinalize"); },
          end,
          end,
          error_string,
          [](ncclComm_t) { return error.c_str(); },
          group_start,
          group_end,
          [](const void* own, void* received, size_t count, ncclDataType_t, ncclComm_t communicator, cudaStream_t stream) {
            return add("ncclAllGather", communicator, stream, {Transfer::Kind::all_gather, own, received, count, -1});
          },
          [](const void* data, size_t count, ncclDataType_t, int peer, ncclComm_t communicator, cudaStream_t stream) {
            return add("ncclSend", communicator, stream, {Transfer::Kind::send, data, nullptr, count, peer});
          },
          [](void* data, size_t count, ncclDataType_t, int peer, ncclComm_t communicator, cudaStream_t stream) {
            return add("ncclRecv", communicator, stream, {Transfer::Kind::receive, nullptr, data, count, peer});
          }};
}

}  // namespace layerwise::cuda

namespace layerwise::cuda_on_host {

int live_nccl_communicators() { return cuda::live; }

}  // namespace layerwise::cuda_on_host
