// What the cuDNN stand-in asks of descriptors that are finalized, and makes of them.
#include <algorithm>
#include <set>
#include <utility>

#include "cuda_on_host/cudnn_descriptors.h"

namespace layerwise::cuda_on_host {

using namespace cuda;

namespace {

constexpr cudnnBackendKnobType_t knob_type{2};

bool is_float(const CudnnBag& bag, cudnnBackendAttributeName_t name) {
  return bag.value<cudnnDataType_t>(name) == CUDNN_DATA_FLOAT;
}

cudnnStatus_t finalize_tensor(const CudnnBag& bag) {
  const auto extents = bag.values<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS);
  const auto strides = bag.values<int64_t>(CUDNN_ATTR_TENSOR_STRIDES);
  const auto type = bag.value<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE);
  const auto alignment = bag.value<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
  const auto is_positive = [](int64_t value) { return value > 0; };
  if (type != CUDNN_DATA_FLOAT && type != CUDNN_DATA_BFLOAT16) return CUDNN_STATUS_NOT_SUPPORTED;
  const bool is_good = extents.size() == strides.size() && alignment > 0 &&
                       alignment % (type == CUDNN_DATA_FLOAT ? 4 : 2) == 0 &&
                       std::all_of(extents.begin(), extents.end(), is_positive) &&
                       std::all_of(strides.begin(), strides.end(), is_positive);
  return is_good ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}

cudnnStatus_t finalize_convolution(const CudnnBag& bag) {
  const auto dimensions = static_cast<size_t>(bag.value<int64_t>(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS));
  const auto pre = bag.values<int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS);
  const auto post = bag.values<int64_t>(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS);
  const auto strides = bag.values<int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES);
  const auto dilations = bag.values<int64_t>(CUDNN_ATTR_CONVOLUTION_DILATIONS);
  for (const auto* values : {&pre, &post, &strides, &dilations})
    if (values->size() != dimensions) return CUDNN_STATUS_BAD_PARAM;
  const bool is_supported =
      dimensions == 2 && pre == post && pre[0] == pre[1] && strides[0] == strides[1] &&
      dilations == std::vector<int64_t>{1, 1} && is_float(bag, CUDNN_ATTR_CONVOLUTION_COMP_TYPE) &&
      bag.value<cudnnConvolutionMode_t>(CUDNN_ATTR_CONVOLUTION_CONV_MODE) == CUDNN_CROSS_CORRELATION;
  return is_supported ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
}

CudnnTensor tensor_of(const CudnnBag& bag) {
  CudnnTensor tensor;
  tensor.uid = bag.value<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID);
  tensor.alignment = bag.value<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
  tensor.type = bag.value<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE);
  tensor.extents = bag.values<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS);
  tensor.strides = bag.values<int64_t>(CUDNN_ATTR_TENSOR_STRIDES);
  tensor.is_virtual =
      bag.attributes.count(CUDNN_ATTR_TENSOR_IS_VIRTUAL) != 0 && bag.value<bool>(CUDNN_ATTR_TENSOR_IS_VIRTUAL);
  return tensor;
}

bool is_channels_last(const CudnnTensor& tensor) {
  const std::vector<int64_t>& e = tensor.extents;
  return tensor.strides == std::vector<int64_t>{e[1] * e[2] * e[3], 1, e[3] * e[1], e[1]};
}

/// The convolution that an operation describes, with its factors alpha and beta.
struct Described {
  CudnnOperation operation;
  float alpha, beta;
};
Described operation_of(const CudnnBag& bag) {
  const auto read = [&](ConvolutionProduct::Kind kind, cudnnBackendAttributeName_t convolution,
                        cudnnBackendAttributeName_t x, cudnnBackendAttributeName_t weight,
                        cudnnBackendAttributeName_t y, cudnnBackendAttributeName_t alpha,
                        cudnnBackendAttributeName_t beta) {
    const CudnnBag& geometry = bag.reference(convolution);
    CudnnOperation operation;
    operation.kind = kind;
    operation.padding = geometry.values<int64_t>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS)[0];
    operation.stride = geometry.values<int64_t>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES)[0];
    operation.x = tensor_of(bag.reference(x));
    operation.weight = tensor_of(bag.reference(weight));
    operation.y = tensor_of(bag.reference(y));
    return Described{operation, bag.value<float>(alpha), bag.value<float>(beta)};
  };
  switch (bag.type) {
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
      return read(ConvolutionProduct::Kind::weight_gradient, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA);
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
      return read(ConvolutionProduct::Kind::data_gradient, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA);
    default:
      return read(ConvolutionProduct::Kind::convolution, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                  CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA);
  }
}

/// Whether a convolution of these types, with its bias, is there.
bool has_supported_types(const CudnnOperation& operation) {
  const bool is_weight = operation.kind == ConvolutionProduct::Kind::weight_gradient;
  const bool is_data = operation.kind == ConvolutionProduct::Kind::data_gradient;
  const CudnnTensor& result = is_weight ? operation.weight : is_data ? operation.x : operation.y;
  const CudnnTensor &first = is_data ? operation.y : operation.x, &second = is_weight ? operation.y : operation.weight;
  return first.type == second.type && (result.type == first.type || result.type == CUDNN_DATA_FLOAT) &&
         cudnn_stand_in.supports({operation.kind, first.type, result.type, operation.has_bias});
}

cudnnStatus_t finalize_operation(const CudnnBag& bag) {
  const auto [operation, alpha, beta] = operation_of(bag);
  const std::vector<int64_t>&x = operation.x.extents, &weight = operation.weight.extents, &y = operation.y.extents;
  if (x.size() != 4 || weight.size() != 4 || y.size() != 4) return CUDNN_STATUS_BAD_PARAM;
  const auto out = [&, &o = operation](size_t i) { return (x[i] + 2 * o.padding - weight[i]) / o.stride + 1; };
  const bool fits = y[0] == x[0] && y[1] == weight[0] && x[1] == weight[1] && y[2] == out(2) && y[3] == out(3);
  if (!fits) return CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH;
  const bool is_whole = !operation.y.is_virtual;  // otherwise the graph knows more
  if (is_whole && !has_supported_types(operation)) return CUDNN_STATUS_NOT_SUPPORTED;
  return alpha == 1 && beta == 0 ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
}

cudnnStatus_t finalize_pointwise_operation(const CudnnBag& bag) {
  const CudnnTensor x = tensor_of(bag.reference(CUDNN_ATTR_OPERATION_POINTWISE_XDESC));
  const CudnnTensor b = tensor_of(bag.reference(CUDNN_ATTR_OPERATION_POINTWISE_BDESC));
  const CudnnTensor y = tensor_of(bag.reference(CUDNN_ATTR_OPERATION_POINTWISE_YDESC));
  if (x.extents != y.extents || b.extents.size() != x.extents.size()) return CUDNN_STATUS_BAD_PARAM;
  for (size_t i = 0; i < x.extents.size(); ++i)
    if (b.extents[i] != 1 && b.extents[i] != x.extents[i]) return CUDNN_STATUS_BAD_PARAM;
  return CUDNN_STATUS_SUCCESS;
}

/// A convolution, alone or with a bias that is added to its sums.
cudnnStatus_t finalize_graph(CudnnBag& bag) {
  if (!is_handle(bag.value<cudnnHandle_t>(CUDNN_ATTR_OPERATIONGRAPH_HANDLE))) return CUDNN_STATUS_BAD_PARAM;
  const CudnnBags& operations = bag.attributes.at(CUDNN_ATTR_OPERATIONGRAPH_OPS).references;
  if (operations.size() > 2 || operations[0]->type == CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)
    return CUDNN_STATUS_NOT_SUPPORTED;
  CudnnOperation operation = operation_of(*operations[0]).operation;
  std::vector<const CudnnTensor*> tensors = {&operation.x, &operation.weight, &operation.y};
  if (operations.size() == 2) {
    if (operations[1]->type != CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR) return CUDNN_STATUS_NOT_SUPPORTED;
    const CudnnTensor added = tensor_of(operations[1]->reference(CUDNN_ATTR_OPERATION_POINTWISE_XDESC));
    const CudnnTensor sums = std::exchange(
        operation.y, tensor_of(operations[1]->reference(CUDNN_ATTR_OPERATION_POINTWISE_YDESC)));
    if (added.uid != sums.uid || !sums.is_virtual || sums.type != CUDNN_DATA_FLOAT || sums.uid == operation.y.uid)
      return CUDNN_STATUS_NOT_SUPPORTED;
    operation.has_bias = true;
    operation.bias = tensor_of(operations[1]->reference(CUDNN_ATTR_OPERATION_POINTWISE_BDESC));
    if (operation.bias.extents != std::vector<int64_t>{1, operation.y.extents[1], 1, 1})
      return CUDNN_STATUS_NOT_SUPPORTED;
    tensors.push_back(&operation.bias);
  }
  std::set<int64_t> uids;
  for (const CudnnTensor* tensor : tensors) {
    if (tensor->is_virtual || !uids.insert(tensor->uid).second) return CUDNN_STATUS_BAD_PARAM;
    if (!is_channels_last(*tensor)) return CUDNN_STATUS_NOT_SUPPORTED;
  }
  if (operation.has_bias && !has_supported_types(operation)) return CUDNN_STATUS_NOT_SUPPORTED;
  bag.operation = std::make_shared<CudnnOperation>(operation);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finalize_engine(CudnnBag& bag) {
  bag.graph = bag.attributes.at(CUDNN_ATTR_ENGINE_OPERATION_GRAPH).references[0];
  bag.configuration.engine = bag.value<int64_t>(CUDNN_ATTR_ENGINE_GLOBAL_INDEX);
  const bool is_there =
      bag.configuration.engine >= 0 && bag.configuration.engine < static_cast<int64_t>(cudnn_stand_in.engines.size());
  return is_there ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
}

cudnnStatus_t finalize_configuration(CudnnBag& bag) {
  const CudnnBag& engine = bag.reference(CUDNN_ATTR_ENGINECFG_ENGINE);
  bag.graph = engine.graph;
  bag.configuration = engine.configuration;
  const auto knobs = bag.attributes.find(CUDNN_ATTR_ENGINECFG_KNOB_CHOICES);
  if (knobs == bag.attributes.end()) return CUDNN_STATUS_SUCCESS;
  for (const auto& knob : knobs->second.references) {
    const auto type = knob->value<cudnnBackendKnobType_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE);
    const auto value = knob->value<int64_t>(CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE);
    if (type != knob_type || value < 0 || value >= engine_of(bag).knob_values) return CUDNN_STATUS_NOT_SUPPORTED;
    bag.configuration.knobs.emplace_back(type, value);
  }
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finalize_plan(CudnnBag& bag) {
  if (!is_handle(bag.value<cudnnHandle_t>(CUDNN_ATTR_EXECUTION_PLAN_HANDLE))) return CUDNN_STATUS_BAD_PARAM;
  const CudnnBag& configuration = bag.reference(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
  bag.graph = configuration.graph;
  bag.configuration = configuration.configuration;
  if (engine_of(bag).plan_status == CUDNN_STATUS_SUCCESS)
    cudnn_stand_in.plans_made.push_back(bag.configuration.to_text());
  return engine_of(bag).plan_status;
}

cudnnStatus_t finalize_variant_pack(const CudnnBag& bag) {
  const bool fits = bag.attributes.at(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS).count ==
                    bag.attributes.at(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS).count;
  return fits ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}

}  // namespace

const std::vector<std::string>* suggestions_of(const CudnnBag& heuristics) {
  switch (heuristics.value<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE)) {
    case CUDNN_HEUR_MODE_A: return &cudnn_stand_in.mode_a;
    case CUDNN_HEUR_MODE_FALLBACK: return &cudnn_stand_in.fallback;
  }
  return nullptr;
}

const CudnnStandIn::Engine& engine_of(const CudnnBag& bag) {
  return cudnn_stand_in.engines.at(static_cast<size_t>(bag.configuration.engine));
}

cudnnStatus_t finalize_bag(CudnnBag& bag) {
  switch (bag.type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR: return finalize_tensor(bag);
    case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR: return finalize_convolution(bag);
    case CUDNN_BACKEND_POINTWISE_DESCRIPTOR:
      return is_float(bag, CUDNN_ATTR_POINTWISE_MATH_PREC) ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR: return finalize_operation(bag);
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR: return finalize_pointwise_operation(bag);
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR: return finalize_graph(bag);
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR: {
      bag.graph = bag.attributes.at(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH).references[0];
      const std::vector<std::string>* const found = suggestions_of(bag);
      return found != nullptr && !found->empty() ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED;
    }
    case CUDNN_BACKEND_ENGINE_DESCRIPTOR: return finalize_engine(bag);
    case CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR: return CUDNN_STATUS_SUCCESS;
    case CUDNN_BACKEND_ENGINECFG_DESCRIPTOR: return finalize_configuration(bag);
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR: return finalize_plan(bag);
    case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR: return finalize_variant_pack(bag);
  }
  return CUDNN_STATUS_NOT_SUPPORTED;
}

}  // namespace layerwise::cuda_on_host
