#include "backend/cuda/engines/vendor_engine.h"

#include "backend/cuda/engines/cublas.h"
#include "backend/cuda/engines/cudnn.h"
#include "core/notice.h"

namespace layerwise::cuda {

namespace {

class NvidiaEngine final : public VendorEngine {
 public:
  NvidiaEngine(cudaStream_t stream, Arena& arena, bool tensor_float32)
      : cublas_(stream, tensor_float32), cudnn_(load_cudnn(), stream, arena, tensor_float32) {}

  std::string versions() const override { return "cublas " + cublas_.version() + " cudnn " + cudnn_.version(); }

  void multiply(const MatrixProduct& product) override { cublas_.multiply(product); }
  bool convolve(const ConvolutionProduct& product, const std::string& plan) override {
    return cudnn_.convolve(product, plan);
  }
  std::vector<std::string> plans(const ConvolutionProduct& product) override { return cudnn_.plans(product); }

 private:
  Cublas cublas_;
  Cudnn cudnn_;
};

}  // namespace

OpenedVendorEngine open_vendor_engine(cudaStream_t stream, Arena& arena, bool tensor_float32,
                                      const std::string& engine) {
  try {
    return {std::make_unique<NvidiaEngine>(stream, arena, tensor_float32), {}};
  } catch (const Error& error) {  // whatever it is: the kernels do without them
    if (engine == "auto" && error.kind() != ErrorKind::device_unavailable)
      notice(std::string("cuBLAS and cuDNN are left out: ") + error.what());
    return {nullptr, error.what()};
  }
}

bool times_count() { return true; }

}  // namespace layerwise::cuda
