// What the backend uses of NCCL 2.14 or later: its C interface, declared here so that building needs no headers of NVIDIA's.
// The library is opened at run time (nccl.h); nothing here is linked to. Names and numbers are those of NVIDIA's
// documentation. VendorDeclarationsTest (Java) compares the numbers with those that JavaCPP's presets were made from,
// nvidia_api_check.cpp numbers and types with the header, where there is one.
#pragma once

#include <climits>
#include <cstddef>

#include "backend/cuda/cuda_api.h"

namespace layerwise::cuda {

struct ncclComm;
using ncclComm_t = ncclComm*;

constexpr int nccl_unique_id_bytes = 128;
struct ncclUniqueId {
  char internal[nccl_unique_id_bytes];
};

enum ncclResult_t : int {
  ncclSuccess = 0,
  ncclUnhandledCudaError = 1,
  ncclSystemError = 2,
  ncclInternalError = 3,
  ncclInvalidArgument = 4,
  ncclInvalidUsage = 5,
  ncclRemoteError = 6,
  ncclInProgress = 7
};
enum ncclDataType_t : int { ncclInt8 = 0 };

/// As it was in version 2.14. Later versions append to it, and go by its size.
struct ncclConfig_t {
  size_t size;
  unsigned int magic;
  unsigned int version;
  int blocking;
};
constexpr unsigned int nccl_config_magic = 0xcafebeef;
constexpr int nccl_config_version = 21400;  // NCCL_VERSION(2, 14, 0)

ncclResult_t ncclGetVersion(int* version);
ncclResult_t ncclGetUniqueId(ncclUniqueId* id);
/// Of a communicator that does not block this and the calls below return ncclInProgress; ncclCommGetAsyncError tells what
/// became of them.
ncclResult_t ncclCommInitRankConfig(ncclComm_t* communicator, int ranks, ncclUniqueId id, int rank, ncclConfig_t* config);
ncclResult_t ncclCommGetAsyncError(ncclComm_t communicator, ncclResult_t* result);
ncclResult_t ncclCommFinalize(ncclComm_t communicator);
ncclResult_t ncclCommDestroy(ncclComm_t communicator);
ncclResult_t ncclCommAbort(ncclComm_t communicator);
const char* ncclGetErrorString(ncclResult_t result);
const char* ncclGetLastError(ncclComm_t communicator);

ncclResult_t ncclGroupStart();
ncclResult_t ncclGroupEnd();
/// received, of ranks · count elements, ← `count` elements of each rank, in rank order.
ncclResult_t ncclAllGather(const void* own, void* received, size_t count, ncclDataType_t type, ncclComm_t communicator,
                           cudaStream_t stream);
ncclResult_t ncclSend(const void* data, size_t count, ncclDataType_t type, int peer, ncclComm_t communicator,
                      cudaStream_t stream);
ncclResult_t ncclRecv(void* data, size_t count, ncclDataType_t type, int peer, ncclComm_t communicator,
                      cudaStream_t stream);

}  // namespace layerwise::cuda
