#include "cuda_on_host/cudnn_stand_in.h"

#include <algorithm>
#include <cstring>

#include "cuda_on_host/cudnn_descriptors.h"
#include "cuda_on_host/library_stand_in.h"
#include "cuda_on_host/runtime_state.h"

namespace layerwise::cuda {

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

}  // namespace layerwise::cuda

namespace layerwise::cuda_on_host {

using namespace cuda;

namespace {

constexpr uintptr_t workspace_alignment = 256;
std::vector<std::unique_ptr<cudnnContext>> handles;


// ---- what is read

template <class T>
cudnnStatus_t give(const std::vector<T>& values, cudnnBackendAttributeType_t type, cudnnBackendAttributeType_t asked,
                   int64_t most, int64_t* count, void* elements) {
  if (asked != type) return CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE;
  if (most > 0 && elements == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  if (count != nullptr) *count = static_cast<int64_t>(values.size());
  const size_t given = std::min(values.size(), static_cast<size_t>(most));
  if (given > 0) std::memcpy(elements, values.data(), given * sizeof(T));
  return CUDNN_STATUS_SUCCESS;
}

/// Fills descriptors that the caller has created.
template <class Fill>
cudnnStatus_t give_descriptors(size_t number, cudnnBackendDescriptorType_t of, cudnnBackendAttributeType_t asked,
                               int64_t most, int64_t* count, void* elements, const Fill& fill) {
  if (asked != CUDNN_TYPE_BACKEND_DESCRIPTOR) return CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE;
  if (most > 0 && elements == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  for (size_t i = 0; i < std::min(number, static_cast<size_t>(most)); ++i) {
    const auto bag = find_bag(static_cast<const cudnnBackendDescriptor_t*>(elements)[i]);
    if (bag == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
    if (bag->type != of || bag->is_finalized) return CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE;
    fill(*bag, i);
    bag->is_finalized = true;
  }
  if (count != nullptr) *count = static_cast<int64_t>(number);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t read(const CudnnBag& bag, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t asked,
                   int64_t most, int64_t* count, void* elements) {
  const EngineConfiguration& configuration = bag.configuration;
  const auto of = [&](cudnnBackendDescriptorType_t type, cudnnBackendAttributeName_t attribute) {
    return bag.type == type && name == attribute;
  };
  if (of(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, CUDNN_ATTR_ENGINEHEUR_RESULTS)) {
    const std::vector<std::string>& suggested = *suggestions_of(bag);
    return give_descriptors(suggested.size(), CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, asked, most, count, elements,
                            [&](CudnnBag& filled, size_t i) {
                              filled.configuration = EngineConfiguration::parse(suggested[i]).value();
                              filled.graph = bag.graph;
                            });
  }
  if (of(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, CUDNN_ATTR_ENGINECFG_ENGINE))
    return give_descriptors(1, CUDNN_BACKEND_ENGINE_DESCRIPTOR, asked, most, count, elements,
                            [&](CudnnBag& filled, size_t) {
                              filled.configuration.engine = configuration.engine;
                              filled.graph = bag.graph;
                            });
  if (of(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES))
    return give_descriptors(configuration.knobs.size(), CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, asked, most, count,
                            elements, [&](CudnnBag& filled, size_t i) {
                              const auto type = static_cast<cudnnBackendKnobType_t>(configuration.knobs[i].first);
                              set_attribute(filled, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &type);
                              set_attribute(filled, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, CUDNN_TYPE_INT64, 1,
                                            &configuration.knobs[i].second);
                            });
  if (of(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE))
    return give(bag.values<int>(name), CUDNN_TYPE_KNOB_TYPE, asked, most, count, elements);
  if (of(CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE))
    return give(bag.values<int64_t>(name), CUDNN_TYPE_INT64, asked, most, count, elements);
  if (of(CUDNN_BACKEND_ENGINE_DESCRIPTOR, CUDNN_ATTR_ENGINE_GLOBAL_INDEX))
    return give(std::vector<int64_t>{configuration.engine}, CUDNN_TYPE_INT64, asked, most, count, elements);
  if (of(CUDNN_BACKEND_ENGINE_DESCRIPTOR, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE))
    return give(engine_of(bag).notes, CUDNN_TYPE_NUMERICAL_NOTE, asked, most, count, elements);
  if (of(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE))
    return give(std::vector<int64_t>{engine_of(bag).workspace_bytes}, CUDNN_TYPE_INT64, asked, most, count, elements);
  return CUDNN_STATUS_BAD_PARAM;
}

// ---- what is executed

bool is_aligned(const void* data, uintptr_t alignment) { return reinterpret_cast<uintptr_t>(data) % alignment == 0; }

cudnnStatus_t check_operand(const CudnnTensor& tensor, const std::vector<int64_t>& uids, const std::vector<void*>& data,
                            void*& found) {
  const auto uid = std::find(uids.begin(), uids.end(), tensor.uid);
  if (uid == uids.end()) return CUDNN_STATUS_BAD_PARAM;
  found = data[static_cast<size_t>(uid - uids.begin())];
  if (!is_device_memory(found, tensor.bytes())) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  return is_aligned(found, static_cast<uintptr_t>(tensor.alignment)) ? CUDNN_STATUS_SUCCESS
                                                                     : CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER;
}

cudnnStatus_t execute_plan(cudnnHandle_t handle, const std::shared_ptr<CudnnBag>& plan, const CudnnBag& pack) {
  const auto uids = pack.values<int64_t>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const auto pointers = pack.values<void*>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  void* const workspace = pack.value<void*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
  const auto operation = plan->graph->operation;
  const CudnnStandIn::Engine engine = engine_of(*plan);
  CudnnOperands operands{};
  void* bias = nullptr;
  for (const auto& [tensor, data] :
       {std::pair(&operation->x, &operands.x), std::pair(&operation->weight, &operands.weight),
        std::pair(&operation->y, &operands.y), std::pair(&operation->bias, &bias)}) {
    if (data == &bias && !operation->has_bias) continue;
    if (const cudnnStatus_t status = check_operand(*tensor, uids, pointers, *data)) return status;
  }
  operands.bias = bias;
  const auto bytes = static_cast<size_t>(engine.workspace_bytes);
  if (bytes > 0 && (!is_device_memory(workspace, bytes) || !is_aligned(workspace, workspace_alignment)))
    return CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER;
  if (engine.execution_status != CUDNN_STATUS_SUCCESS) return engine.execution_status;
  try {
    if (library_stand_in.before) library_stand_in.before(false);
  } catch (const std::exception&) {
    return CUDNN_STATUS_EXECUTION_FAILED;
  }
  cudnn_stand_in.executed.push_back(plan->configuration.to_text());
  const int64_t knob = plan->configuration.knobs.empty() ? 0 : plan->configuration.knobs[0].second;
  const cudaError_t error = submit(
      handle->stream, [operation, engine, operands, workspace, bytes, knob, weak = std::weak_ptr<CudnnBag>(plan)] {
        if (weak.expired()) {  // kernels that were compiled for a plan go with it
          report_sticky(cudaErrorIllegalAddress);
          return;
        }
        if (engine.before) engine.before(knob);
        if (bytes > 0) std::memset(workspace, 0xFF, bytes);
        compute(*operation, engine.arithmetic, operands);
      });
  return error == cudaSuccess ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_EXECUTION_FAILED;
}

// ---- cuDNN's functions

cudnnStatus_t create(cudnnHandle_t* handle) {
  *handle = handles.emplace_back(std::make_unique<cudnnContext>()).get();
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t destroy(cudnnHandle_t handle) {
  const auto found = std::find_if(handles.begin(), handles.end(), [&](const auto& one) { return one.get() == handle; });
  if (found == handles.end()) return CUDNN_STATUS_BAD_PARAM;
  handles.erase(found);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t set_stream(cudnnHandle_t handle, cudaStream_t stream) {
  if (!is_handle(handle)) return CUDNN_STATUS_BAD_PARAM;
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

size_t get_version() { return 92400; }

const char* error_string(cudnnStatus_t status) {
  switch (status) {
    case CUDNN_STATUS_SUCCESS: return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_NOT_INITIALIZED: return "CUDNN_STATUS_NOT_INITIALIZED";
    case CUDNN_STATUS_BAD_PARAM: return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_BAD_PARAM_NULL_POINTER: return "CUDNN_STATUS_BAD_PARAM_NULL_POINTER";
    case CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER: return "CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER";
    case CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED: return "CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED";
    case CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND: return "CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND";
    case CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH: return "CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH";
    case CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE: return "CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE";
    case CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE: return "CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE";
    case CUDNN_STATUS_NOT_SUPPORTED: return "CUDNN_STATUS_NOT_SUPPORTED";
    case CUDNN_STATUS_INTERNAL_ERROR: return "CUDNN_STATUS_INTERNAL_ERROR";
    case CUDNN_STATUS_EXECUTION_FAILED: return "CUDNN_STATUS_EXECUTION_FAILED";
  }
  return "CUDNN_UNKNOWN_STATUS";
}

cudnnStatus_t finalize(cudnnBackendDescriptor_t handle) {
  const auto bag = find_bag(handle);
  if (bag == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  if (bag->is_finalized || !has_what_it_needs(*bag)) return CUDNN_STATUS_BAD_PARAM;
  for (const auto& attribute : bag->attributes)
    for (const auto& reference : attribute.second.references)
      if (!is_whole(*reference)) return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
  const cudnnStatus_t status = finalize_bag(*bag);
  bag->is_finalized = status == CUDNN_STATUS_SUCCESS;
  return status;
}

cudnnStatus_t set(cudnnBackendDescriptor_t handle, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                  int64_t count, const void* elements) {
  const auto bag = find_bag(handle);
  return bag == nullptr ? CUDNN_STATUS_BAD_PARAM_NULL_POINTER : set_attribute(*bag, name, type, count, elements);
}

cudnnStatus_t get(cudnnBackendDescriptor_t handle, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                  int64_t most, int64_t* count, void* elements) {
  const auto bag = find_bag(handle);
  if (bag == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  if (!is_whole(*bag)) return CUDNN_STATUS_NOT_INITIALIZED;
  if (most < 0) return CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND;
  return read(*bag, name, type, most, count, elements);
}

cudnnStatus_t execute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t variant_pack) {
  const auto plan_bag = find_bag(plan), pack = find_bag(variant_pack);
  if (!is_handle(handle) || plan_bag == nullptr || pack == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  if (plan_bag->type != CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR || pack->type != CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)
    return CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE;
  if (!is_whole(*plan_bag) || !is_whole(*pack)) return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
  return execute_plan(handle, plan_bag, *pack);
}

CudnnStandIn::Engine wrong(int note) { return {{note}, CudnnStandIn::Arithmetic::wrong}; }

}  // namespace

bool is_handle(cudnnHandle_t handle) {
  return std::any_of(handles.begin(), handles.end(), [&](const auto& one) { return one.get() == handle; });
}

CudnnStandIn::CudnnStandIn() {
  engines.resize(9);
  engines[1] = wrong(CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC);
  engines[2] = {{CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP},
                Arithmetic::tensor_float32, 4096, 4};
  engines[3].plan_status = CUDNN_STATUS_NOT_SUPPORTED;
  engines[4] = {{}, Arithmetic::wrong, int64_t{2} << 30};
  engines[5] = wrong(CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS);
  engines[6] = wrong(CUDNN_NUMERICAL_NOTE_WINOGRAD);
  engines[7] = wrong(CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION);
  engines[8] = wrong(77);
  mode_a = {"eng1", "eng4", "eng3", "eng5", "eng2_k2=1", "eng6"};
  fallback = {"eng7", "eng8", "eng0", "eng2_k2=1"};
}

CudnnFunctions cudnn_stand_in_functions() {
  return {create,     destroy,     set_stream, get_version, error_string, create_bag,
          destroy_bag, finalize, set,        get,         execute};
}

}  // namespace layerwise::cuda_on_host
