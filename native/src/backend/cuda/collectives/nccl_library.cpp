// The functions of libnccl.so.2.
#include "backend/cuda/collectives/nccl.h"
#include "backend/cuda/engines/vendor_libraries.h"

namespace layerwise::cuda {

NcclFunctions open_nccl() {
  const VendorLibrary library(
      "libnccl.so.2", "install NCCL 2.14 or later: libnccl2 of NVIDIA's package repository, or pip's nvidia-nccl-cu13");
  NcclFunctions functions{};
  library.find("ncclGetVersion", functions.get_version);
  library.find("ncclGetUniqueId", functions.get_unique_id);
  library.find("ncclCommInitRankConfig", functions.init_rank);
  library.find("ncclCommGetAsyncError", functions.get_async_error);
  library.find("ncclCommFinalize", functions.finalize);
  library.find("ncclCommDestroy", functions.destroy);
  library.find("ncclCommAbort", functions.abort);
  library.find("ncclGetErrorString", functions.error_string);
  library.find("ncclGetLastError", functions.last_error);
  library.find("ncclGroupStart", functions.group_start);
  library.find("ncclGroupEnd", functions.group_end);
  library.find("ncclAllGather", functions.all_gather);
  library.find("ncclSend", functions.send);
  library.find("ncclRecv", functions.receive);
  return functions;
}

}  // namespace layerwise::cuda
