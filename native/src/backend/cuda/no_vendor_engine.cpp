// In a build without the headers of cuBLAS and cuDNN.
#include "backend/cuda/vendor_engine.h"

namespace layerwise::cuda {

OpenedVendorEngine open_vendor_engine(cudaStream_t, Arena&, bool, const std::string&) {
  return {nullptr, "this build was made without the headers of cuBLAS and cuDNN (-DNVIDIA_ROOT names the folder that "
                   "holds them)"};
}

}  // namespace layerwise::cuda
