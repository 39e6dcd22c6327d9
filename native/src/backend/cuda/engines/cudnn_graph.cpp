#include "backend/cuda/engines/cudnn_graph.h"

#include <charconv>
#include <set>
#include <string_view>
#include <system_error>

#include "core/error.h"

namespace layerwise::cuda {

namespace {

// Upper bounds on what the library may list. cuDNN 9.24 knows 46 types of knobs and 10 numerical notes.
constexpr int64_t most_knobs = 64, most_notes = 32;

/// Operands lie at multiples of this, as far as cuDNN cares, or of less.
constexpr int64_t best_alignment = 16;

/// What tensors are called in a graph.
enum Uid : int64_t { uid_x = 1, uid_weight, uid_y, uid_bias, uid_sums };

/// The names of what the three operations have in common.
struct OperationNames {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t alpha, beta, convolution, x, weight, y;
};

OperationNames names_of(ConvolutionProduct::Kind kind) {
  switch (kind) {
    case ConvolutionProduct::Kind::weight_gradient:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY};
    case ConvolutionProduct::Kind::data_gradient:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY};
    case ConvolutionProduct::Kind::convolution: break;
  }
  return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,             CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
          CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y};
}

cudnnDataType_t type_of(DataType type) { return type == DataType::bfloat16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT; }

/// The largest power of two, up to the best alignment, that divides the address.
int64_t alignment_of(const Tensor& tensor) {
  int64_t alignment = best_alignment;
  while (reinterpret_cast<uintptr_t>(tensor.data) % static_cast<uintptr_t>(alignment) != 0) alignment /= 2;
  return alignment;
}

/// Channels-last, whose extents cuDNN wants in the order N, C, H, W. Weights are (O, KH, KW, I) likewise.
CudnnDescriptor describe_tensor(const CudnnFunctions& functions, const Tensor& tensor, Uid uid, bool is_virtual) {
  const Shape& shape = tensor.shape;
  CudnnDescriptor descriptor(functions, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  descriptor.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, static_cast<int64_t>(uid));
  descriptor.set(CUDNN_ATTR_TENSOR_DATA_TYPE, type_of(tensor.type));
  descriptor.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, alignment_of(tensor));
  descriptor.set(CUDNN_ATTR_TENSOR_DIMENSIONS, std::vector<int64_t>{shape.n, shape.c, shape.h, shape.w});
  descriptor.set(CUDNN_ATTR_TENSOR_STRIDES, std::vector<int64_t>{shape.features(), 1, shape.w * shape.c, shape.c});
  descriptor.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, is_virtual);
  descriptor.finalize("describing a tensor");
  return descriptor;
}

CudnnDescriptor describe_convolution(const CudnnFunctions& functions, const Convolution& geometry) {
  const std::vector<int64_t> padding(2, geometry.padding), stride(2, geometry.stride), dilation(2, 1);
  CudnnDescriptor descriptor(functions, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  descriptor.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2});
  descriptor.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT);
  descriptor.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_CROSS_CORRELATION);
  descriptor.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, padding);
  descriptor.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, padding);
  descriptor.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, stride);
  descriptor.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, dilation);
  descriptor.finalize("describing a convolution");
  return descriptor;
}

CudnnDescriptor describe_addition(const CudnnFunctions& functions) {
  CudnnDescriptor descriptor(functions, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
  descriptor.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_POINTWISE_ADD);
  descriptor.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT);
  descriptor.finalize("describing an addition");
  return descriptor;
}

template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()));
  return true;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

// ---- errors

void check(const CudnnFunctions& functions, cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  // In the same thousand: a part of the library is missing, or of another version.
  const bool is_unusable = status / 1000 == CUDNN_STATUS_NOT_INITIALIZED / 1000;
  const ErrorKind kind = is_unusable ? ErrorKind::device_unavailable : ErrorKind::internal;
  fail(kind, "cuDNN reports '", functions.error_string(status), "' while ", what);
}

bool is_supported(const CudnnFunctions& functions, cudnnStatus_t status, const char* what) {
  if (status / 1000 == CUDNN_STATUS_NOT_SUPPORTED / 1000) return false;
  check(functions, status, what);
  return true;
}

// ---- descriptors

CudnnDescriptor::CudnnDescriptor(const CudnnFunctions& functions, cudnnBackendDescriptorType_t type)
    : functions_(&functions) {
  cudnnBackendDescriptor_t handle = nullptr;
  check(functions, functions.create_descriptor(type, &handle), "creating a descriptor");
  handle_ = {handle, {functions.destroy_descriptor}};
}

void CudnnDescriptor::set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
                          const void* elements) {
  if (status_ == CUDNN_STATUS_SUCCESS) status_ = functions_->set_attribute(handle(), name, type, count, elements);
}

void CudnnDescriptor::set(cudnnBackendAttributeName_t name, const CudnnDescriptor& value) {
  const cudnnBackendDescriptor_t descriptor = value.handle();
  set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &descriptor);
}

void CudnnDescriptor::set(cudnnBackendAttributeName_t name, const std::vector<CudnnDescriptor>& values) {
  std::vector<cudnnBackendDescriptor_t> descriptors;
  for (const CudnnDescriptor& value : values) descriptors.push_back(value.handle());
  set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<int64_t>(descriptors.size()), descriptors.data());
}

cudnnStatus_t CudnnDescriptor::finalize() {
  if (status_ == CUDNN_STATUS_SUCCESS) status_ = functions_->finalize(handle());
  return status_;
}

void CudnnDescriptor::finalize(const char* what) { check(*functions_, finalize(), what); }

int64_t CudnnDescriptor::get(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t most,
                             void* elements) const {
  int64_t count = 0;
  check(*functions_, functions_->get_attribute(handle(), name, type, most, &count, elements), "reading an attribute");
  return count;
}

CudnnDescriptor CudnnDescriptor::get_descriptor(cudnnBackendAttributeName_t name,
                                                cudnnBackendDescriptorType_t type) const {
  CudnnDescriptor descriptor(*functions_, type);
  cudnnBackendDescriptor_t handle = descriptor.handle();
  get(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &handle);
  return descriptor;
}

int64_t CudnnDescriptor::count_descriptors(cudnnBackendAttributeName_t name) const {
  return get(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 0, nullptr);
}

std::optional<std::vector<CudnnDescriptor>> CudnnDescriptor::get_descriptors(cudnnBackendAttributeName_t name,
                                                                             cudnnBackendDescriptorType_t type,
                                                                             int64_t most) const {
  std::vector<CudnnDescriptor> descriptors;
  std::vector<cudnnBackendDescriptor_t> handles;
  for (int64_t i = 0; i < most; ++i) handles.push_back(descriptors.emplace_back(*functions_, type).handle());
  const int64_t count = get(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, most, handles.data());
  if (count > most) return std::nullopt;
  descriptors.erase(descriptors.begin() + count, descriptors.end());
  return descriptors;
}

// ---- engine configurations

std::string EngineConfiguration::to_text() const {
  std::string text = "eng" + std::to_string(engine);
  for (const auto& [type, value] : knobs) text += "_k" + std::to_string(type) + "=" + std::to_string(value);
  return text;
}

std::optional<EngineConfiguration> EngineConfiguration::parse(const std::string& text) {
  EngineConfiguration parsed;
  std::string_view rest = text;
  if (!take(rest, "eng") || !take_number(rest, parsed.engine)) return std::nullopt;
  while (!rest.empty()) {
    auto& [type, value] = parsed.knobs.emplace_back();
    if (!take(rest, "_k") || !take_number(rest, type) || !take(rest, "=") || !take_number(rest, value))
      return std::nullopt;
  }
  std::set<int> types;
  for (const auto& [type, value] : parsed.knobs)
    if (type < 0 || !types.insert(type).second) return std::nullopt;
  // No leading zeros: there is one text for each.
  if (parsed.engine < 0 || parsed.to_text() != text) return std::nullopt;
  return parsed;
}

std::optional<std::vector<cudnnBackendNumericalNote_t>> notes_of(const Configured& configured) {
  return configured.back()
      .get_descriptor(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR)
      .get_all<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, most_notes);
}

std::optional<EngineConfiguration> describe(const Configured& configured) {
  const CudnnDescriptor& configuration = configured.back();
  const auto knobs = configuration.get_descriptors(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES,
                                                   CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR, most_knobs);
  if (!knobs) return std::nullopt;
  EngineConfiguration described;
  described.engine = configuration.get_descriptor(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_BACKEND_ENGINE_DESCRIPTOR)
                         .get<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX);
  for (const CudnnDescriptor& knob : *knobs)
    described.knobs.emplace_back(knob.get<cudnnBackendKnobType_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE),
                                 knob.get<int64_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE));
  return described;
}

// ---- graphs

ConvolutionGraph::ConvolutionGraph(const CudnnFunctions& functions, cudnnHandle_t handle)
    : functions_(&functions), handle_(handle), graph_(functions, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) {}

std::optional<ConvolutionGraph> ConvolutionGraph::make(const CudnnFunctions& functions, cudnnHandle_t handle,
                                                       const ConvolutionProduct& product) {
  ConvolutionGraph made(functions, handle);
  std::vector<CudnnDescriptor>& parts = made.parts_;
  const auto keep = [&parts](CudnnDescriptor part) {
    parts.push_back(std::move(part));
    return parts.size() - 1;
  };
  const size_t x = keep(describe_tensor(functions, product.x, uid_x, false));
  const size_t weight = keep(describe_tensor(functions, product.weight, uid_weight, false));
  const size_t y = keep(describe_tensor(functions, product.y, uid_y, false));
  const size_t convolution = keep(describe_convolution(functions, product.geometry));
  size_t result = y;
  if (product.bias)  // the convolution's sums exist inside of kernels only
    result = keep(describe_tensor(functions, {nullptr, DataType::float32, product.y.shape}, uid_sums, true));

  const OperationNames names = names_of(product.kind);
  std::vector<CudnnDescriptor> operations;
  CudnnDescriptor& operation = operations.emplace_back(functions, names.type);
  operation.set(names.convolution, parts[convolution]);
  operation.set(names.x, parts[x]);
  operation.set(names.weight, parts[weight]);
  operation.set(names.y, parts[result]);
  operation.set(names.alpha, 1.0f);
  operation.set(names.beta, 0.0f);
  if (!is_supported(functions, operation.finalize(), "describing an operation")) return std::nullopt;
  if (product.bias) {
    const size_t bias = keep(describe_tensor(functions, product.bias, uid_bias, false));
    const size_t addition = keep(describe_addition(functions));
    CudnnDescriptor& add = operations.emplace_back(functions, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    add.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, parts[addition]);
    add.set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, parts[result]);
    add.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, parts[bias]);
    add.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, parts[y]);
    if (!is_supported(functions, add.finalize(), "describing an operation")) return std::nullopt;
  }
  made.graph_.set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, handle);
  made.graph_.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, operations);
  for (CudnnDescriptor& one : operations) keep(std::move(one));
  if (!is_supported(functions, made.graph_.finalize(), "describing operations")) return std::nullopt;
  return made;
}

std::vector<int64_t> ConvolutionGraph::key(const ConvolutionProduct& product) {
  const Convolution& geometry = product.geometry;
  std::vector<int64_t> key = {static_cast<int64_t>(product.kind), geometry.stride, geometry.padding};
  for (const Tensor* tensor : {&product.x, &product.weight, &product.y, &product.bias}) {
    const Shape& shape = tensor->shape;
    const std::vector<int64_t> part = {static_cast<int64_t>(tensor->type), alignment_of(*tensor), shape.n, shape.h,
                                       shape.w, shape.c};
    key.insert(key.end(), part.begin(), part.end());
  }
  return key;
}

std::vector<Configured> ConvolutionGraph::suggestions(cudnnBackendHeurMode_t mode) const {
  CudnnDescriptor heuristics(*functions_, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph_);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  std::vector<Configured> suggested;
  if (!is_supported(*functions_, heuristics.finalize(), "asking for plans")) return suggested;
  auto configurations =
      heuristics.get_descriptors(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR,
                                 heuristics.count_descriptors(CUDNN_ATTR_ENGINEHEUR_RESULTS));
  if (!configurations) return suggested;
  for (CudnnDescriptor& configuration : *configurations) suggested.emplace_back().push_back(std::move(configuration));
  return suggested;
}

std::optional<Configured> ConvolutionGraph::configure(const EngineConfiguration& wanted) const {
  Configured configured;
  CudnnDescriptor engine(*functions_, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  engine.set(CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph_);
  engine.set(CUDNN_ATTR_ENGINE_GLOBAL_INDEX, wanted.engine);
  if (engine.finalize() != CUDNN_STATUS_SUCCESS) return std::nullopt;
  for (const auto& [type, value] : wanted.knobs) {
    CudnnDescriptor& knob = configured.emplace_back(*functions_, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
    knob.set(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, static_cast<cudnnBackendKnobType_t>(type));
    knob.set(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, value);
    if (knob.finalize() != CUDNN_STATUS_SUCCESS) return std::nullopt;
  }
  CudnnDescriptor configuration(*functions_, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
  configuration.set(CUDNN_ATTR_ENGINECFG_ENGINE, engine);
  if (!configured.empty()) configuration.set(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, configured);
  if (configuration.finalize() != CUDNN_STATUS_SUCCESS) return std::nullopt;
  configured.push_back(std::move(engine));
  configured.push_back(std::move(configuration));
  return configured;
}

std::optional<CudnnPlan> ConvolutionGraph::plan(Configured configured) const {
  CudnnDescriptor plan(*functions_, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, handle_);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configured.back());
  if (plan.finalize() != CUDNN_STATUS_SUCCESS) return std::nullopt;
  const int64_t workspace_bytes = plan.get<int64_t>(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE);
  return CudnnPlan{std::move(configured), std::move(plan), workspace_bytes};
}

void execute(const CudnnFunctions& functions, cudnnHandle_t handle, const CudnnPlan& plan,
             const ConvolutionProduct& product, void* workspace) {
  std::vector<int64_t> uids = {uid_x, uid_weight, uid_y};
  std::vector<void*> data = {product.x.data, product.weight.data, product.y.data};
  if (product.bias) {
    uids.push_back(uid_bias);
    data.push_back(product.bias.data);
  }
  CudnnDescriptor operands(functions, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  operands.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, uids);
  operands.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, data);
  operands.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace);
  operands.finalize("giving operands to a plan");
  check(functions, functions.execute(handle, plan.descriptor.handle(), operands.handle()), "executing a plan");
}

}  // namespace layerwise::cuda
