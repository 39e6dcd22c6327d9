// cuDNN's operation graphs in C++: descriptors, the graph of one convolution, and its execution plans. Which of them are
// taken is up to cudnn.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/engines/cudnn_api.h"
#include "backend/cuda/engines/vendor_engine.h"
#include "backend/cuda/engines/vendor_libraries.h"

namespace layerwise::cuda {

struct CudnnFunctions {
  decltype(&cudnnCreate) create;
  decltype(&cudnnDestroy) destroy;
  decltype(&cudnnSetStream) set_stream;
  decltype(&cudnnGetVersion) get_version;
  decltype(&cudnnGetErrorString) error_string;
  decltype(&cudnnBackendCreateDescriptor) create_descriptor;
  decltype(&cudnnBackendDestroyDescriptor) destroy_descriptor;
  decltype(&cudnnBackendFinalize) finalize;
  decltype(&cudnnBackendSetAttribute) set_attribute;
  decltype(&cudnnBackendGetAttribute) get_attribute;
  decltype(&cudnnBackendExecute) execute;
};

/// Throws Error where cuDNN reports a failure; `what` says what was being done, as in "describing a tensor".
void check(const CudnnFunctions& functions, cudnnStatus_t status, const char* what);

/// False where cuDNN does not support what it was asked for; throws Error for any other failure.
bool is_supported(const CudnnFunctions& functions, cudnnStatus_t status, const char* what);

constexpr cudnnBackendAttributeType_t attribute_type(cudnnHandle_t) { return CUDNN_TYPE_HANDLE; }
constexpr cudnnBackendAttributeType_t attribute_type(cudnnDataType_t) { return CUDNN_TYPE_DATA_TYPE; }
constexpr cudnnBackendAttributeType_t attribute_type(bool) { return CUDNN_TYPE_BOOLEAN; }
constexpr cudnnBackendAttributeType_t attribute_type(int64_t) { return CUDNN_TYPE_INT64; }
constexpr cudnnBackendAttributeType_t attribute_type(float) { return CUDNN_TYPE_FLOAT; }
constexpr cudnnBackendAttributeType_t attribute_type(void*) { return CUDNN_TYPE_VOID_PTR; }
constexpr cudnnBackendAttributeType_t attribute_type(cudnnConvolutionMode_t) { return CUDNN_TYPE_CONVOLUTION_MODE; }
constexpr cudnnBackendAttributeType_t attribute_type(cudnnBackendHeurMode_t) { return CUDNN_TYPE_HEUR_MODE; }
constexpr cudnnBackendAttributeType_t attribute_type(cudnnBackendKnobType_t) { return CUDNN_TYPE_KNOB_TYPE; }
constexpr cudnnBackendAttributeType_t attribute_type(cudnnBackendNumericalNote_t) { return CUDNN_TYPE_NUMERICAL_NOTE; }
constexpr cudnnBackendAttributeType_t attribute_type(cudnnPointwiseMode_t) { return CUDNN_TYPE_POINTWISE_MODE; }

/// A descriptor of the backend API. What it refers to must live as long as it does: cuDNN does not say that it makes
/// copies. Until it is finalized, the first failure is kept, and is what finalize() returns.
class CudnnDescriptor {
 public:
  CudnnDescriptor(const CudnnFunctions& functions, cudnnBackendDescriptorType_t type);

  template <class T>
  void set(cudnnBackendAttributeName_t name, const T& value) {
    set(name, attribute_type(value), 1, &value);
  }
  template <class T>
  void set(cudnnBackendAttributeName_t name, const std::vector<T>& values) {
    set(name, attribute_type(T{}), static_cast<int64_t>(values.size()), values.data());
  }
  void set(cudnnBackendAttributeName_t name, const CudnnDescriptor& value);
  void set(cudnnBackendAttributeName_t name, const std::vector<CudnnDescriptor>& values);

  cudnnStatus_t finalize();
  /// The same, throwing Error for any failure.
  void finalize(const char* what);

  // Of a finalized descriptor.

  template <class T>
  T get(cudnnBackendAttributeName_t name) const {
    T value{};
    get(name, attribute_type(value), 1, &value);
    return value;
  }
  /// All that there are; nothing where these are more than `most`.
  template <class T>
  std::optional<std::vector<T>> get_all(cudnnBackendAttributeName_t name, int64_t most) const {
    std::vector<T> values(static_cast<size_t>(most));
    const int64_t count = get(name, attribute_type(T{}), most, values.data());
    if (count > most) return std::nullopt;
    values.resize(static_cast<size_t>(count));
    return values;
  }
  CudnnDescriptor get_descriptor(cudnnBackendAttributeName_t name, cudnnBackendDescriptorType_t type) const;
  int64_t count_descriptors(cudnnBackendAttributeName_t name) const;
  std::optional<std::vector<CudnnDescriptor>> get_descriptors(cudnnBackendAttributeName_t name,
                                                              cudnnBackendDescriptorType_t type, int64_t most) const;

  cudnnBackendDescriptor_t handle() const { return handle_.get(); }

 private:
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count, const void* elements);
  int64_t get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t most, void* elements) const;

  const CudnnFunctions* functions_;
  OwnedHandle<cudnnBackendDescriptor_t, cudnnStatus_t> handle_;
  cudnnStatus_t status_ = CUDNN_STATUS_SUCCESS;
};

/// One of cuDNN's engines with values for its knobs. As text, "eng5_k2=13_k14=3": engine 5, knob 2 at 13, knob 14 at 3,
/// which is how cuDNN's own tools name plans.
struct EngineConfiguration {
  int64_t engine = 0;
  std::vector<std::pair<int, int64_t>> knobs;  // type, value

  std::string to_text() const;
  /// Nothing where the text, which anyone may have written, is not of that form.
  static std::optional<EngineConfiguration> parse(const std::string& text);
};

/// An engine configuration, last, behind the descriptors that it refers to.
using Configured = std::vector<CudnnDescriptor>;

/// The notes of the configuration's engine; nothing where it has more than there are kinds of.
std::optional<std::vector<cudnnBackendNumericalNote_t>> notes_of(const Configured& configured);

/// Nothing where the configuration has more knobs than any engine is expected to have.
std::optional<EngineConfiguration> describe(const Configured& configured);

/// A way of executing a graph, ready to run. It must not outlive the graph.
struct CudnnPlan {
  Configured configured;  // to which the descriptor refers
  CudnnDescriptor descriptor;
  int64_t workspace_bytes;
};

/// A convolution or one of its gradients as an operation graph. Sums are of float32. The addresses of operands may
/// change from one execution to the next, their alignment may not: key().
class ConvolutionGraph {
 public:
  /// Nothing where cuDNN does not support such a graph.
  static std::optional<ConvolutionGraph> make(const CudnnFunctions& functions, cudnnHandle_t handle,
                                              const ConvolutionProduct& product);

  /// All that the graph depends on; for the same handle, equal keys mean equal graphs. An operand without data counts as
  /// one at the best alignment, which memory of the arena has.
  static std::vector<int64_t> key(const ConvolutionProduct& product);

  /// What the heuristics of that mode suggest, best first.
  std::vector<Configured> suggestions(cudnnBackendHeurMode_t mode) const;

  /// Nothing where this library has no such configuration for the graph.
  std::optional<Configured> configure(const EngineConfiguration& wanted) const;

  /// Nothing where cuDNN does not finalize it.
  std::optional<CudnnPlan> plan(Configured configured) const;

 private:
  ConvolutionGraph(const CudnnFunctions& functions, cudnnHandle_t handle);

  const CudnnFunctions* functions_;
  cudnnHandle_t handle_;
  std::vector<CudnnDescriptor> parts_;  // to which graph_ refers
  CudnnDescriptor graph_;
};

/// Gives a product to the handle's stream, by a plan for a graph of the same key. `workspace`: device memory of as many
/// bytes as the plan wants.
void execute(const CudnnFunctions& functions, cudnnHandle_t handle, const CudnnPlan& plan,
             const ConvolutionProduct& product, void* workspace);

}  // namespace layerwise::cuda
