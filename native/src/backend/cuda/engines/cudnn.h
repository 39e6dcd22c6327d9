// Convolutions by cuDNN: which of its plans are taken. Plans are made once for each convolution and kept.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/cuda/engines/cudnn_graph.h"
#include "backend/cuda/operations.h"

namespace layerwise::cuda {

/// Finds the library's functions. Throws Error(device_unavailable) where it is missing.
CudnnFunctions load_cudnn();

class Cudnn {
 public:
  /// Throws Error where the library does not work here.
  Cudnn(const CudnnFunctions& functions, cudaStream_t stream, Arena& arena, bool tensor_float32);

  // See VendorEngine. A plan is trusted by what cuDNN notes of its engine: the same bits in every run, sums in float32,
  // factors as they are stored but where `tensor_float32` lets tensor cores round those of float32. Its name is that of
  // the engine configuration, behind that of a form (cudnn.cpp).
  bool convolve(const ConvolutionProduct& product, const std::string& plan);
  std::vector<std::string> plans(const ConvolutionProduct& product);

  /// "9.24.0"
  std::string version() const;

 private:
  enum class Form;
  using Plan = std::shared_ptr<const CudnnPlan>;
  struct NamedPlan {
    std::string name;
    Plan plan;
  };
  struct Problem {
    std::optional<ConvolutionGraph> graph;
    std::map<std::string, Plan> plans;  // by the name of the engine configuration; null where there is none
  };

  Problem& problem(const ConvolutionProduct& part);
  Plan find(const ConvolutionProduct& part, const std::string& name);
  std::vector<NamedPlan> suggested_plans(const ConvolutionGraph& graph, DataType factors, size_t most) const;
  Plan named_plan(const ConvolutionGraph& graph, DataType factors, const std::string& name) const;
  Plan trusted_plan(const ConvolutionGraph& graph, DataType factors, Configured configured) const;
  void run(Form form, const CudnnPlan& plan, const ConvolutionProduct& product) const;
  void give(const CudnnPlan& plan, const ConvolutionProduct& part) const;

  static std::vector<Form> forms_of(const ConvolutionProduct& product);
  static const char* prefix_of(Form form);
  static ConvolutionProduct part_of(Form form, const ConvolutionProduct& product);

  const CudnnFunctions functions_;
  const cudaStream_t stream_;
  Arena& arena_;
  const bool tensor_float32_;
  OwnedHandle<cudnnHandle_t, cudnnStatus_t> handle_;
  std::map<std::vector<int64_t>, Problem> problems_;  // by ConvolutionGraph::key
};

}  // namespace layerwise::cuda
