#include "cuda_on_host/cudnn_descriptors.h"

#include <algorithm>
#include <mutex>

namespace layerwise::cuda_on_host {

using namespace cuda;

namespace {

std::mutex bags_mutex;
std::map<const void*, std::shared_ptr<CudnnBag>> bags;

constexpr int no_descriptor = -1, any_operation = -2;
constexpr int64_t most_dimensions = 8, any_number = 1 << 20;

struct Rule {
  cudnnBackendDescriptorType_t descriptor;
  cudnnBackendAttributeName_t name;
  cudnnBackendAttributeType_t type;
  int64_t least, most;
  bool is_required;
  int refers_to;  // type of descriptor
};

std::vector<Rule> make_rules() {
  std::vector<Rule> rules;
  cudnnBackendDescriptorType_t descriptor{};
  const auto needs = [&](cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t most = 1) {
    rules.push_back({descriptor, name, type, 1, most, true, no_descriptor});
  };
  const auto refers = [&](cudnnBackendAttributeName_t name, int to, int64_t most = 1) {
    rules.push_back({descriptor, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, most, true, to});
  };

  descriptor = CUDNN_BACKEND_TENSOR_DESCRIPTOR;
  needs(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64);
  needs(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE);
  needs(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64);
  needs(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, most_dimensions);
  needs(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, most_dimensions);
  rules.push_back({descriptor, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, 1, false, no_descriptor});

  descriptor = CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR;
  needs(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64);
  needs(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE);
  needs(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE);
  for (const auto name : {CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS,
                          CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_ATTR_CONVOLUTION_DILATIONS})
    needs(name, CUDNN_TYPE_INT64, most_dimensions);

  descriptor = CUDNN_BACKEND_POINTWISE_DESCRIPTOR;
  needs(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE);
  needs(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE);

  descriptor = CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR;
  needs(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT);
  needs(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT);
  refers(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  for (const auto name : {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y})
    refers(name, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  descriptor = CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR;
  needs(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA, CUDNN_TYPE_FLOAT);
  needs(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA, CUDNN_TYPE_FLOAT);
  refers(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  for (const auto name : {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY})
    refers(name, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  descriptor = CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR;
  needs(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, CUDNN_TYPE_FLOAT);
  needs(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA, CUDNN_TYPE_FLOAT);
  refers(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  for (const auto name : {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY})
    refers(name, CUDNN_BACKEND_TENSOR_DESCRIPTOR);

  descriptor = CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR;
  refers(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  for (const auto name : {CUDNN_ATTR_OPERATION_POINTWISE_XDESC, CUDNN_ATTR_OPERATION_POINTWISE_BDESC,
                          CUDNN_ATTR_OPERATION_POINTWISE_YDESC})
    refers(name, CUDNN_BACKEND_TENSOR_DESCRIPTOR);

  descriptor = CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR;
  needs(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE);
  refers(CUDNN_ATTR_OPERATIONGRAPH_OPS, any_operation, any_number);

  descriptor = CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR;
  refers(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  needs(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE);

  descriptor = CUDNN_BACKEND_ENGINE_DESCRIPTOR;
  refers(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  needs(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64);

  descriptor = CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR;
  needs(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE);
  needs(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64);

  descriptor = CUDNN_BACKEND_ENGINECFG_DESCRIPTOR;
  refers(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  rules.push_back({descriptor, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, any_number, false,
                   CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR});

  descriptor = CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR;
  needs(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE);
  refers(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);

  descriptor = CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR;
  needs(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, any_number);
  needs(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, any_number);
  needs(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR);
  return rules;
}

const std::vector<Rule>& rules() {
  static const std::vector<Rule> all = make_rules();
  return all;
}

bool is_operation(cudnnBackendDescriptorType_t type) {
  return type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR ||
         type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR ||
         type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR ||
         type == CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR;
}

}  // namespace

size_t CudnnTensor::bytes() const {
  size_t elements = 1;
  for (const int64_t extent : extents) elements *= static_cast<size_t>(extent);
  return elements * (type == CUDNN_DATA_BFLOAT16 ? 2 : 4);
}

size_t size_of(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR: return sizeof(void*);
    case CUDNN_TYPE_INT64: return sizeof(int64_t);
    case CUDNN_TYPE_BOOLEAN: return sizeof(bool);
    default: return sizeof(int);  // float, and the enumerations
  }
}

std::shared_ptr<CudnnBag> find_bag(cudnnBackendDescriptor_t handle) {
  const std::lock_guard<std::mutex> lock(bags_mutex);
  const auto found = bags.find(handle);
  return found == bags.end() ? nullptr : found->second;
}

bool is_whole(const CudnnBag& bag) {
  if (bag.is_destroyed || !bag.is_finalized || (bag.graph != nullptr && !is_whole(*bag.graph))) return false;
  return std::all_of(bag.attributes.begin(), bag.attributes.end(), [](const auto& attribute) {
    const CudnnBags& references = attribute.second.references;
    return std::all_of(references.begin(), references.end(), [](const auto& one) { return is_whole(*one); });
  });
}

cudnnStatus_t set_attribute(CudnnBag& bag, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                            int64_t count, const void* elements) {
  if (bag.is_finalized) return CUDNN_STATUS_NOT_INITIALIZED;
  const auto rule = std::find_if(rules().begin(), rules().end(),
                                 [&](const Rule& one) { return one.descriptor == bag.type && one.name == name; });
  if (rule == rules().end()) return CUDNN_STATUS_BAD_PARAM;
  if (rule->type != type) return CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE;
  if (count < rule->least || count > rule->most) return CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND;
  if (elements == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  const auto* const begin = static_cast<const unsigned char*>(elements);
  CudnnBag::Attribute attribute{type, count, {begin, begin + static_cast<size_t>(count) * size_of(type)}, {}};
  if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    for (int64_t i = 0; i < count; ++i) {
      const auto reference = find_bag(static_cast<const cudnnBackendDescriptor_t*>(elements)[i]);
      if (reference == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
      const bool fits =
          rule->refers_to == any_operation ? is_operation(reference->type) : reference->type == rule->refers_to;
      if (!fits) return CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE;
      if (!is_whole(*reference)) return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
      attribute.references.push_back(reference);
    }
  }
  bag.attributes[name] = std::move(attribute);
  return CUDNN_STATUS_SUCCESS;
}

bool has_what_it_needs(const CudnnBag& bag) {
  return std::all_of(rules().begin(), rules().end(), [&](const Rule& rule) {
    return rule.descriptor != bag.type || !rule.is_required || bag.attributes.count(rule.name) != 0;
  });
}

cudnnStatus_t create_bag(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t* handle) {
  if (handle == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  const bool is_known =
      std::any_of(rules().begin(), rules().end(), [&](const Rule& rule) { return rule.descriptor == type; });
  if (!is_known) return CUDNN_STATUS_NOT_SUPPORTED;
  auto bag = std::make_shared<CudnnBag>();
  bag->type = type;
  const std::lock_guard<std::mutex> lock(bags_mutex);
  *handle = bag.get();
  bags.emplace(bag.get(), std::move(bag));
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t destroy_bag(cudnnBackendDescriptor_t handle) {
  const std::lock_guard<std::mutex> lock(bags_mutex);
  const auto found = bags.find(handle);
  if (found == bags.end()) return CUDNN_STATUS_BAD_PARAM;
  found->second->is_destroyed = true;
  bags.erase(found);
  return CUDNN_STATUS_SUCCESS;
}

int64_t live_cudnn_descriptors() {
  const std::lock_guard<std::mutex> lock(bags_mutex);
  return static_cast<int64_t>(bags.size());
}

}  // namespace layerwise::cuda_on_host
