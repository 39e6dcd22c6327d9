// Descriptors of the cuDNN stand-in: bags of attributes, and what finalized graphs compute.
#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/cuda/engines/cudnn_api.h"
#include "cuda_on_host/cudnn_stand_in.h"

namespace layerwise::cuda_on_host {

struct CudnnTensor {
  int64_t uid = 0, alignment = 0;
  cuda::cudnnDataType_t type = cuda::CUDNN_DATA_FLOAT;
  std::vector<int64_t> extents, strides;  // N, C, H, W
  bool is_virtual = false;

  size_t bytes() const;
};

/// What a finalized operation graph computes.
struct CudnnOperation {
  cuda::ConvolutionProduct::Kind kind{};
  int64_t padding = 0, stride = 1;
  CudnnTensor x, weight, y, bias;
  bool has_bias = false;
};

struct CudnnOperands {
  void *x, *weight, *y;
  const void* bias;
};

/// Does it by plain loops.
void compute(const CudnnOperation& operation, CudnnStandIn::Arithmetic arithmetic, const CudnnOperands& data);

struct CudnnBag;
using CudnnBags = std::vector<std::shared_ptr<CudnnBag>>;

struct CudnnBag {
  struct Attribute {
    cuda::cudnnBackendAttributeType_t type;
    int64_t count;
    std::vector<unsigned char> bytes;
    CudnnBags references;  // of descriptors
  };

  cuda::cudnnBackendDescriptorType_t type;
  bool is_finalized = false, is_destroyed = false;
  std::map<int, Attribute> attributes;

  // What has been made of the attributes.
  std::shared_ptr<CudnnOperation> operation;       // of graphs
  cuda::EngineConfiguration configuration;         // of engines, configurations and plans
  std::shared_ptr<CudnnBag> graph;                 // likewise, and of heuristics

  template <class T>
  std::vector<T> values(cuda::cudnnBackendAttributeName_t name) const {
    const Attribute& attribute = attributes.at(name);
    std::vector<T> values(static_cast<size_t>(attribute.count));
    std::memcpy(values.data(), attribute.bytes.data(), attribute.bytes.size());
    return values;
  }
  template <class T>
  T value(cuda::cudnnBackendAttributeName_t name) const {
    T value{};
    std::memcpy(&value, attributes.at(name).bytes.data(), sizeof value);
    return value;
  }
  const CudnnBag& reference(cuda::cudnnBackendAttributeName_t name) const {
    return *attributes.at(name).references.at(0);
  }
};

/// The descriptor that the handle stands for; null where there is none.
std::shared_ptr<CudnnBag> find_bag(cuda::cudnnBackendDescriptor_t handle);

/// Whether it, and all that it refers to, is there and finalized.
bool is_whole(const CudnnBag& bag);

/// Of an attribute that is set: the rules of its descriptor's type.
cuda::cudnnStatus_t set_attribute(CudnnBag& bag, cuda::cudnnBackendAttributeName_t name,
                                  cuda::cudnnBackendAttributeType_t type, int64_t count, const void* elements);

/// Whether everything that its type needs has been set.
bool has_what_it_needs(const CudnnBag& bag);

/// Checks a descriptor that has what it needs, and makes of it what is made.
cuda::cudnnStatus_t finalize_bag(CudnnBag& bag);

/// What heuristics suggest; null for a mode that there is not.
const std::vector<std::string>* suggestions_of(const CudnnBag& heuristics);

/// The engine of an engine, a configuration or a plan.
const CudnnStandIn::Engine& engine_of(const CudnnBag& bag);

bool is_handle(cuda::cudnnHandle_t handle);

cuda::cudnnStatus_t create_bag(cuda::cudnnBackendDescriptorType_t type, cuda::cudnnBackendDescriptor_t* handle);
cuda::cudnnStatus_t destroy_bag(cuda::cudnnBackendDescriptor_t handle);

size_t size_of(cuda::cudnnBackendAttributeType_t type);

}  // namespace layerwise::cuda_on_host
