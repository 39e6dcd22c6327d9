#include "backend/cpu/winograd_products.h"

#include <omp.h>

namespace layerwise::cpu {

namespace {

using Description = dnnl::memory::desc;
constexpr auto f32 = dnnl::memory::data_type::f32;
constexpr int64_t planes = 16;

/// Primitives made while it lives are for one thread.
class OneThread {
 public:
  OneThread() : threads_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(threads_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  const int threads_;
};

dnnl::memory memory_of(const Description& description, const dnnl::engine& engine, const void* data) {
  return {description, engine, const_cast<void*>(data)};  // oneDNN only reads its sources
}

}  // namespace

WinogradProduct::WinogradProduct(const dnnl::matmul::primitive_desc& description)
    : primitive_(description), left_(description.src_desc()), right_(description.weights_desc()),
      result_(description.dst_desc()), scratchpad_(description.scratchpad_desc()) {}

void WinogradProduct::execute(const dnnl::engine& engine, dnnl::stream& stream, const void* left, const void* right,
                              float* result, void* scratch) const {
  primitive_.execute(stream, {{DNNL_ARG_SRC, memory_of(left_, engine, left)},
                              {DNNL_ARG_WEIGHTS, memory_of(right_, engine, right)},
                              {DNNL_ARG_DST, memory_of(result_, engine, result)},
                              {DNNL_ARG_SCRATCHPAD, memory_of(scratchpad_, engine, scratch)}});
  stream.wait();
}

template <class Make>
const WinogradProduct& WinogradProducts::find(const Key& key, const Make& make) {
  const auto found = products_.find(key);
  return found != products_.end() ? found->second : products_.emplace(key, WinogradProduct(make())).first->second;
}

template <class A>
const WinogradProduct& WinogradProducts::tiles_times_weights(int64_t tiles, int64_t depth,
                                                             int64_t outputs) {
  const auto type = onednn_type<A>;
  return find({0, static_cast<int64_t>(type), tiles, depth, outputs}, [&] {
    const OneThread one_thread;
    const Description left({planes, tiles, depth}, type, {plane_stride<A>(tiles * depth), depth, 1});
    const Description right({planes, depth, outputs}, type, dnnl::memory::format_tag::any);
    const Description result({planes, tiles, outputs}, f32, {plane_stride<float>(tiles * outputs), outputs, 1});
    return dnnl::matmul::primitive_desc(engine(), left, right, result, onednn_attributes());
  });
}

template <class A>
const WinogradProduct& WinogradProducts::weight_gradient(int64_t tiles, int64_t outputs, int64_t inputs,
                                                         int64_t full_tiles, bool accumulates) {
  const auto type = onednn_type<A>;
  const Key key{accumulates ? 2 : 1, static_cast<int64_t>(type), tiles, outputs, inputs, full_tiles,
                omp_get_max_threads()};
  return find(key, [&] {
    dnnl::primitive_attr attributes = onednn_attributes();
    if (accumulates) {
      dnnl::post_ops add;
      add.append_sum(1.0f);
      attributes.set_post_ops(add);
    }
    const Description left({planes, outputs, tiles}, type, {plane_stride<A>(full_tiles * outputs), 1, outputs});
    const Description right({planes, tiles, inputs}, type, {plane_stride<A>(full_tiles * inputs), inputs, 1});
    const Description result({planes, outputs, inputs}, f32, {plane_stride<float>(outputs * inputs), inputs, 1});
    return dnnl::matmul::primitive_desc(engine(), left, right, result, attributes);
  });
}

void WinogradProducts::pack(Arena& arena, const Description& from, const void* data, const Description& to,
                            void* packed) {
  const Reorder& reorder = find_reorder(from, to);
  const ArenaTensor scratchpad = take_memory(arena, reorder.scratchpad);
  reorder.primitive.execute(stream(), {{DNNL_ARG_FROM, memory_of(from, engine(), data)},
                                       {DNNL_ARG_TO, memory_of(to, engine(), packed)},
                                       {DNNL_ARG_SCRATCHPAD,
                                        memory_of(reorder.scratchpad, engine(), scratchpad.view().data)}});
  stream().wait();
}

const WinogradProducts::Reorder& WinogradProducts::find_reorder(const Description& from, const Description& to) {
  for (const Reorder& reorder : reorders_)
    if (reorder.from == from && reorder.to == to) return reorder;
  const dnnl::reorder::primitive_desc description(engine(), from, engine(), to, onednn_attributes());
  reorders_.push_back({from, to, description.scratchpad_desc(), dnnl::reorder(description)});
  return reorders_.back();
}

template const WinogradProduct& WinogradProducts::tiles_times_weights<float>(int64_t, int64_t, int64_t);
template const WinogradProduct& WinogradProducts::tiles_times_weights<Bfloat16>(int64_t, int64_t, int64_t);
template const WinogradProduct& WinogradProducts::weight_gradient<float>(int64_t, int64_t, int64_t, int64_t, bool);
template const WinogradProduct& WinogradProducts::weight_gradient<Bfloat16>(int64_t, int64_t, int64_t, int64_t, bool);

}  // namespace layerwise::cpu
