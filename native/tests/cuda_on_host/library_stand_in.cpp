// Stand-ins for cuBLAS and cuDNN, so that what the backend does with the libraries runs without them: plain loops for
// matrix products, and the cuDNN engine on a stand-in for the library's interface (cudnn_stand_in.h). They are there when
// the engine "cudnn" is asked for; "auto" stays with the kernels unless a test wants otherwise (library_stand_in.h).
#include <type_traits>
#include <vector>

#include "backend/cuda/engines/cudnn.h"
#include "backend/cuda/runtime.h"
#include "backend/cuda/engines/vendor_engine.h"
#include "cuda_on_host/cudnn_stand_in.h"
#include "cuda_on_host/library_stand_in.h"
#include "cuda_on_host/runtime_state.h"

namespace layerwise::cuda {

namespace {

float load(const float* from, int64_t i) { return from[i]; }
float load(const Bfloat16* from, int64_t i) { return to_float(from[i]); }

/// Sums in float32, stored in the tensor's type.
class Sums {
 public:
  explicit Sums(const Tensor& tensor) : tensor_(tensor), values_(static_cast<size_t>(tensor.shape.elements())) {}
  float& operator[](int64_t i) { return values_[static_cast<size_t>(i)]; }
  void store() const {
    for (size_t i = 0; i < values_.size(); ++i) {
      if (tensor_.type == DataType::float32)
        tensor_.as<float>()[i] = values_[i];
      else
        tensor_.as<Bfloat16>()[i] = to_bfloat16(values_[i]);
    }
  }

 private:
  Tensor tensor_;
  std::vector<float> values_;
};

class StandIn final : public VendorEngine {
 public:
  StandIn(cudaStream_t stream, Arena& arena, bool tensor_float32)
      : stream_(stream), cudnn_(cuda_on_host::cudnn_stand_in_functions(), stream, arena, tensor_float32) {}

  std::string versions() const override { return "stand-ins for cublas and cudnn " + cudnn_.version(); }

  void multiply(const MatrixProduct& p) override {
    if (cuda_on_host::library_stand_in.before) cuda_on_host::library_stand_in.before(true);
    // As the libraries do it: in the order of the stream, or recorded where that is captured.
    const auto work = [p](auto* typed) {
      const auto* const a = static_cast<decltype(typed)>(const_cast<void*>(p.a));
      const auto* const b = static_cast<decltype(typed)>(const_cast<void*>(p.b));
      Sums c(p.c);
      for (int64_t i = 0; i < p.rows; ++i)
        for (int64_t j = 0; j < p.columns; ++j)
          for (int64_t k = 0; k < p.depth; ++k)
            c[i * p.columns + j] += load(a, p.a_transposed ? k * p.rows + i : i * p.depth + k) *
                                    load(b, p.b_transposed ? j * p.depth + k : k * p.columns + j);
      c.store();
    };
    check(cuda_on_host::submit(stream_, [type = p.factors, work] { with_storage(type, work); }), "calling a library");
  }

  bool convolve(const ConvolutionProduct& product, const std::string& plan) override {
    return cudnn_.convolve(product, plan);
  }
  std::vector<std::string> plans(const ConvolutionProduct& product) override { return cudnn_.plans(product); }

 private:
  cudaStream_t stream_;
  Cudnn cudnn_;
};

}  // namespace

OpenedVendorEngine open_vendor_engine(cudaStream_t stream, Arena& arena, bool tensor_float32,
                                      const std::string& engine) {
  const bool is_there = engine == "cudnn" || (engine == "auto" && cuda_on_host::library_stand_in.under_auto);
  if (is_there) return {std::make_unique<StandIn>(stream, arena, tensor_float32), {}};
  return {nullptr, "the device cuda-on-host has stand-ins for cuBLAS and cuDNN for the engine 'cudnn' only"};
}

bool times_count() { return cuda_on_host::library_stand_in.under_auto; }

}  // namespace layerwise::cuda
