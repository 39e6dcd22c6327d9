#include "backend/cpu/onednn_convolution.h"

#include <array>
#include <map>
#include <sstream>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>

#include "backend/cpu/onednn.h"

namespace layerwise::cpu {

namespace {

using Forward = dnnl::convolution_forward;
using DataGradient = dnnl::convolution_backward_data;
using WeightGradient = dnnl::convolution_backward_weights;
using Description = dnnl::memory::desc;
using Arguments = std::unordered_map<int, dnnl::memory>;

constexpr auto f32 = dnnl::memory::data_type::f32;

/// Everything that a convolution's primitives depend on: samples, input height, width and channels,
/// output channels, kernel height and width, stride, padding, whether there is a bias, the type of activations.
using Key = std::array<int64_t, 11>;

Key key_of(const Convolution& geometry, const Tensor& x, int64_t out_channels, bool bias) {
  const auto type = static_cast<int64_t>(x.type);
  return {x.shape.n, x.shape.h, x.shape.w, x.shape.c, out_channels, geometry.kernel_height, geometry.kernel_width,
          geometry.stride, geometry.padding, bias, type};
}

/// The operands as oneDNN sees them: activations in place, weights once as they are stored and once in
/// whatever layout the primitive likes best.
struct Operands {
  Operands(const Convolution& geometry, const Tensor& x_tensor, int64_t out_channels, bool with_bias)
      : type(onednn_type_of(x_tensor.type)),
        kernel_sizes{out_channels, x_tensor.shape.c, geometry.kernel_height, geometry.kernel_width},
        strides{geometry.stride, geometry.stride},
        padding{geometry.padding, geometry.padding} {
    x = activation(x_tensor.shape);
    y = activation(geometry.output_shape(x_tensor.shape, out_channels));
    if (with_bias) bias = Description({out_channels}, f32, dnnl::memory::format_tag::a);
  }

  Description activation(const Shape& shape) const {
    return {{shape.n, shape.c, shape.h, shape.w}, type, dnnl::memory::format_tag::nhwc};
  }
  Description any_weight(dnnl::memory::data_type of) const {
    return {kernel_sizes, of, dnnl::memory::format_tag::any};
  }
  Description stored_weight(dnnl::memory::data_type of) const {
    return {kernel_sizes, of, dnnl::memory::format_tag::ohwi};
  }

  dnnl::memory::data_type type;
  dnnl::memory::dims kernel_sizes, strides, padding;
  Description x, y, bias;
};

Forward::primitive_desc describe_forward(const dnnl::engine& engine, const Operands& of) {
  return {engine, dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, of.x,
          of.any_weight(of.type), of.bias, of.y, of.strides, of.padding, of.padding, onednn_attributes()};
}

DataGradient::primitive_desc describe_data_gradient(const dnnl::engine& engine, const Operands& of) {
  return {engine, dnnl::algorithm::convolution_direct, of.x, of.any_weight(of.type), of.y, of.strides, of.padding,
          of.padding, describe_forward(engine, of), onednn_attributes()};
}

WeightGradient::primitive_desc describe_weight_gradient(const dnnl::engine& engine, const Operands& of) {
  return {engine, dnnl::algorithm::convolution_direct, of.x, of.any_weight(f32), of.y, of.strides, of.padding,
          of.padding, describe_forward(engine, of), onednn_attributes()};
}

/// A primitive and the reorder of its weights from (forward, data gradient) or into (weight gradient) the
/// stored layout; there is none where the primitive works on that layout.
template <class Primitive>
struct Entry {
  Entry(const dnnl::engine& engine, const Operands& of, const typename Primitive::primitive_desc& pd)
      : description(pd), primitive(pd), weight(weight_of(pd)),
        stored_weight(of.stored_weight(weight.get_data_type())) {
    if (weight == stored_weight) return;
    const Description& from = writes_weight ? weight : stored_weight;
    const Description& to = writes_weight ? stored_weight : weight;
    reorder_description = dnnl::reorder::primitive_desc(engine, from, engine, to, onednn_attributes());
    reorder = dnnl::reorder(reorder_description);
  }

  bool reorders() const { return static_cast<bool>(reorder); }

  static constexpr bool writes_weight = std::is_same_v<Primitive, WeightGradient>;
  static Description weight_of(const typename Primitive::primitive_desc& pd) {
    if constexpr (writes_weight)
      return pd.diff_weights_desc();
    else
      return pd.weights_desc();
  }

  typename Primitive::primitive_desc description;
  Primitive primitive;
  Description weight, stored_weight;
  dnnl::reorder::primitive_desc reorder_description;
  dnnl::reorder reorder;
};

std::string words(const char* what, const Convolution& geometry, const Shape& x, int64_t out_channels) {
  std::ostringstream text;
  text << what << " of " << x.to_string() << " with " << out_channels << " kernels of " << geometry.kernel_height << "×"
       << geometry.kernel_width << ", stride " << geometry.stride << ", padding " << geometry.padding;
  return text.str();
}

}  // namespace

struct OnednnConvolution::Primitives {
  OnednnEngine onednn;
  std::map<Key, Entry<Forward>> forward;
  std::map<Key, Entry<DataGradient>> data_gradient;
  std::map<Key, Entry<WeightGradient>> weight_gradient;

  dnnl::memory memory(const Description& of, const void* data) const {
    return {of, onednn.engine, const_cast<void*>(data)};  // oneDNN only reads its sources
  }

  /// The primitive for these operands, made from what describe() says where it is new.
  template <class Primitive, class Describe>
  const Entry<Primitive>& find(std::map<Key, Entry<Primitive>>& entries, const Describe& describe,
                               const Convolution& geometry, const Tensor& x, int64_t out_channels, bool bias) {
    const Key key = key_of(geometry, x, out_channels, bias);
    const auto found = entries.find(key);
    if (found != entries.end()) return found->second;
    const Operands operands(geometry, x, out_channels, bias);
    return entries.try_emplace(key, onednn.engine, operands, describe(onednn.engine, operands)).first->second;
  }

  template <class Primitive>
  void reorder(const Entry<Primitive>& entry, Arena& arena, const dnnl::memory& from, const dnnl::memory& to) {
    const Description scratchpad_description = entry.reorder_description.scratchpad_desc();
    const ArenaTensor scratchpad = take_memory(arena, scratchpad_description);
    entry.reorder.execute(onednn.stream, Arguments{{DNNL_ARG_FROM, from},
                                                   {DNNL_ARG_TO, to},
                                                   {DNNL_ARG_SCRATCHPAD,
                                                    memory(scratchpad_description, scratchpad.view().data)}});
  }

  template <class Primitive>
  void execute(const Entry<Primitive>& entry, Arena& arena, Arguments arguments) {
    const Description scratchpad_description = entry.description.scratchpad_desc();
    const ArenaTensor scratchpad = take_memory(arena, scratchpad_description);
    arguments.emplace(DNNL_ARG_SCRATCHPAD, memory(scratchpad_description, scratchpad.view().data));
    entry.primitive.execute(onednn.stream, arguments);
    onednn.stream.wait();
  }

  /// Runs with the weights, given as stored, in the primitive's layout.
  template <class Primitive>
  void execute_reading_weight(const Entry<Primitive>& entry, Arena& arena, const Tensor& weight, Arguments arguments) {
    ArenaTensor reordered;
    if (entry.reorders()) {
      reordered = take_memory(arena, entry.weight);
      reorder(entry, arena, memory(entry.stored_weight, weight.data), memory(entry.weight, reordered.view().data));
    }
    const void* data = entry.reorders() ? reordered.view().data : weight.data;
    arguments.emplace(DNNL_ARG_WEIGHTS, memory(entry.weight, data));
    execute(entry, arena, std::move(arguments));
  }
};

OnednnConvolution::OnednnConvolution(Arena& arena) : arena_(arena), primitives_(std::make_unique<Primitives>()) {}

OnednnConvolution::~OnednnConvolution() = default;

void OnednnConvolution::forward(const Convolution& geometry, const Tensor& x, const Tensor& weight, const Tensor& bias,
                                const Tensor& y) {
  const auto describe = [&] { return words("the convolution", geometry, x.shape, y.shape.c); };
  with_onednn_errors(describe, [&] {
    const auto& entry = primitives_->find(primitives_->forward, describe_forward, geometry, x, y.shape.c,
                                          static_cast<bool>(bias));
    Arguments arguments{{DNNL_ARG_SRC, primitives_->memory(entry.description.src_desc(), x.data)},
                        {DNNL_ARG_DST, primitives_->memory(entry.description.dst_desc(), y.data)}};
    if (bias) arguments.emplace(DNNL_ARG_BIAS, primitives_->memory(entry.description.bias_desc(), bias.data));
    primitives_->execute_reading_weight(entry, arena_, weight, std::move(arguments));
  });
}

void OnednnConvolution::data_gradient(const Convolution& geometry, const Tensor& d_y, const Tensor& weight,
                                      const Tensor& d_x) {
  const auto describe = [&] { return words("the data gradient", geometry, d_x.shape, d_y.shape.c); };
  with_onednn_errors(describe, [&] {
    const auto& entry =
        primitives_->find(primitives_->data_gradient, describe_data_gradient, geometry, d_x, d_y.shape.c, false);
    Arguments arguments{{DNNL_ARG_DIFF_DST, primitives_->memory(entry.description.diff_dst_desc(), d_y.data)},
                        {DNNL_ARG_DIFF_SRC, primitives_->memory(entry.description.diff_src_desc(), d_x.data)}};
    primitives_->execute_reading_weight(entry, arena_, weight, std::move(arguments));
  });
}

void OnednnConvolution::weight_gradient(const Convolution& geometry, const Tensor& x, const Tensor& d_y,
                                        const Tensor& d_weight) {
  const auto describe = [&] { return words("the weight gradient", geometry, x.shape, d_y.shape.c); };
  with_onednn_errors(describe, [&] {
    const auto& entry =
        primitives_->find(primitives_->weight_gradient, describe_weight_gradient, geometry, x, d_y.shape.c, false);
    ArenaTensor in_primitive_layout;
    if (entry.reorders()) in_primitive_layout = take_memory(arena_, entry.weight);
    const auto stored = primitives_->memory(entry.stored_weight, d_weight.data);
    const auto computed =
        entry.reorders() ? primitives_->memory(entry.weight, in_primitive_layout.view().data) : stored;
    primitives_->execute(entry, arena_,
                         {{DNNL_ARG_SRC, primitives_->memory(entry.description.src_desc(), x.data)},
                          {DNNL_ARG_DIFF_DST, primitives_->memory(entry.description.diff_dst_desc(), d_y.data)},
                          {DNNL_ARG_DIFF_WEIGHTS, computed}});
    if (entry.reorders()) {
      primitives_->reorder(entry, arena_, computed, stored);
      primitives_->onednn.stream.wait();
    }
  });
}

}  // namespace layerwise::cpu
