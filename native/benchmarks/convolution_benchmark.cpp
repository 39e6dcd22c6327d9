// Times the 3×3 convolutions of vgg8b: Winograd against oneDNN's direct convolution, in float32 and
// bfloat16, forward, data gradient and weight gradient.
//
//   convolution_benchmark [threads [batch size [repetitions]]]
//
// Prints a line per shape and direction: the best time of each and what it is in GFLOP/s, both counted as
// the 2 · 9 · I · O operations per position of the direct convolution. Times are processor time over
// threads, so that other work on the machine counts for less; the two take turns. oneDNN's weights are in
// the layout that it likes best; preparing them is not counted for it, but is for Winograd.
#include <omp.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "backend/cpu/winograd.h"

namespace {

using namespace layerwise;
using dnnl::memory;

constexpr Convolution geometry{3, 3, 1, 1};

struct Layer {
  int64_t height, width, in_channels, out_channels;
};
constexpr Layer layers[] = {
    {32, 32, 3, 128},  {32, 32, 128, 128}, {32, 32, 128, 256}, {32, 32, 256, 256}, {16, 16, 256, 256},
    {16, 16, 256, 512}, {16, 16, 512, 512}, {8, 8, 512, 512},   {4, 4, 512, 512},   {2, 2, 512, 512},
    {32, 32, 16, 16},  {32, 32, 32, 32},   {32, 32, 64, 64},   {16, 16, 64, 64},   {16, 16, 128, 128},
    {8, 8, 128, 128},  {8, 8, 64, 64},     {4, 4, 128, 128}};

/// Uninitialised memory would be fast for the wrong reason: all of it is filled.
template <class A>
std::vector<A> fill(const Shape& shape) {
  std::vector<A> values(static_cast<size_t>(shape.elements()));
  for (size_t i = 0; i < values.size(); ++i) {
    const float value = static_cast<float>((i * 2654435761u >> 8) % 1024) / 1024 - 0.5f;
    if constexpr (std::is_same_v<A, float>)
      values[i] = value;
    else
      values[i] = to_bfloat16(value);
  }
  return values;
}

/// One layer's operands, for both implementations.
template <class A>
class Case {
 public:
  Case(const Layer& layer, int64_t samples)
      : x_shape_{samples, layer.height, layer.width, layer.in_channels},
        y_shape_{samples, layer.height, layer.width, layer.out_channels},
        weight_shape_{layer.out_channels, 3, 3, layer.in_channels}, x_(fill<A>(x_shape_)), y_(fill<A>(y_shape_)),
        weight_(fill<A>(weight_shape_)), d_weight_(static_cast<size_t>(weight_shape_.elements())) {}

  double operations() const {
    return 18.0 * static_cast<double>(y_shape_.n * y_shape_.positions() * x_shape_.c * y_shape_.c);
  }

  Tensor x() { return {x_.data(), type(), x_shape_}; }
  Tensor y() { return {y_.data(), type(), y_shape_}; }
  Tensor weight() { return {weight_.data(), type(), weight_shape_}; }
  Tensor d_weight() { return {d_weight_.data(), DataType::float32, weight_shape_}; }

  std::function<void()> direct_forward() {
    const auto description = forward_description();
    return call({{DNNL_ARG_SRC, at(description.src_desc(), x_.data())},
                              {DNNL_ARG_WEIGHTS, room(description.weights_desc())},
                              {DNNL_ARG_DST, at(description.dst_desc(), y_.data())}},
                dnnl::convolution_forward(description));
  }

  std::function<void()> direct_data_gradient() {
    const dnnl::convolution_backward_data::primitive_desc description(
        engine_, dnnl::algorithm::convolution_direct, map(x_shape_), kernel(), map(y_shape_), {1, 1}, {1, 1}, {1, 1},
        forward_description());
    return call({{DNNL_ARG_DIFF_DST, at(description.diff_dst_desc(), y_.data())},
                              {DNNL_ARG_WEIGHTS, room(description.weights_desc())},
                              {DNNL_ARG_DIFF_SRC, at(description.diff_src_desc(), x_.data())}},
                dnnl::convolution_backward_data(description));
  }

  std::function<void()> direct_weight_gradient() {
    const memory::desc d_weight({y_shape_.c, x_shape_.c, 3, 3}, memory::data_type::f32, memory::format_tag::any);
    const dnnl::convolution_backward_weights::primitive_desc description(
        engine_, dnnl::algorithm::convolution_direct, map(x_shape_), d_weight, map(y_shape_), {1, 1}, {1, 1}, {1, 1},
        forward_description());
    return call({{DNNL_ARG_DIFF_DST, at(description.diff_dst_desc(), y_.data())},
                              {DNNL_ARG_DIFF_WEIGHTS, room(description.diff_weights_desc())},
                              {DNNL_ARG_SRC, at(description.src_desc(), x_.data())}},
                dnnl::convolution_backward_weights(description));
  }

 private:
  static constexpr DataType type() { return std::is_same_v<A, float> ? DataType::float32 : DataType::bfloat16; }

  static memory::desc map(const Shape& shape) {
    return {{shape.n, shape.c, shape.h, shape.w}, cpu::onednn_type<A>, memory::format_tag::nhwc};
  }
  memory::desc kernel() const {
    return {{y_shape_.c, x_shape_.c, 3, 3}, cpu::onednn_type<A>, memory::format_tag::any};
  }
  dnnl::convolution_forward::primitive_desc forward_description() const {
    return {engine_, dnnl::prop_kind::forward_training, dnnl::algorithm::convolution_direct, map(x_shape_), kernel(),
            map(y_shape_), {1, 1}, {1, 1}, {1, 1}};
  }
  memory at(const memory::desc& description, void* data) const { return {description, engine_, data}; }
  memory room(const memory::desc& description) const {
    memory result(description, engine_);
    std::fill_n(static_cast<char*>(result.get_data_handle()), description.get_size(), 0);
    return result;
  }
  std::function<void()> call(std::unordered_map<int, memory> arguments,
                             dnnl::primitive primitive) {
    return [this, arguments = std::move(arguments), primitive = std::move(primitive)] {
      primitive.execute(stream_, arguments);
      stream_.wait();
    };
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  Shape x_shape_, y_shape_, weight_shape_;
  std::vector<A> x_, y_, weight_;
  std::vector<float> d_weight_;
};

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double seconds(const std::function<void()>& body) {
  const double begin = processor_seconds();
  body();
  return (processor_seconds() - begin) / omp_get_max_threads();
}

void compare(const char* what, const char* type, const Layer& layer, double operations, int repetitions,
             const std::function<void()>& direct, const std::function<void()>& winograd) {
  double best_direct = std::numeric_limits<double>::infinity(), best_winograd = best_direct;
  direct();  // first calls make primitives and memory
  winograd();
  winograd();
  for (int i = 0; i < repetitions; ++i) {
    best_direct = std::min(best_direct, seconds(direct));
    best_winograd = std::min(best_winograd, seconds(winograd));
  }
  std::printf("%-8s %2ldx%-2ld %3ld->%-3ld %-15s direct %8.2f ms %5.0f  winograd %8.2f ms %5.0f GFLOP/s  %.2f\n", type,
              layer.height, layer.width, layer.in_channels, layer.out_channels, what, best_direct * 1e3,
              operations / best_direct * 1e-9, best_winograd * 1e3, operations / best_winograd * 1e-9,
              best_direct / best_winograd);
  std::fflush(stdout);
}

template <class A>
void run(const char* type, const Layer& layer, int64_t samples, int repetitions, cpu::Winograd& winograd) {
  Case<A> sides(layer, samples);
  const auto compared = [&](const char* what, const std::function<void()>& direct,
                            const std::function<void()>& of_winograd) {
    compare(what, type, layer, sides.operations(), repetitions, direct, of_winograd);
  };
  compared("forward", sides.direct_forward(), [&] {
    winograd.forward<A>({geometry, sides.x(), sides.weight(), {}, sides.y(), {}, {}, {}});
  });
  compared("data gradient", sides.direct_data_gradient(),
           [&] { winograd.data_gradient<A>(sides.y(), {}, sides.weight(), sides.x()); });
  compared("weight gradient", sides.direct_weight_gradient(),
           [&] { winograd.weight_gradient<A>(sides.x(), sides.y(), cpu::SampleAffine(), sides.d_weight()); });
}

int argument(int count, char** values, int index, int otherwise) {
  return count > index ? std::max(1, std::atoi(values[index])) : otherwise;
}

}  // namespace

int main(int count, char** values) {
  try {
    omp_set_num_threads(argument(count, values, 1, omp_get_max_threads()));
    const int samples = argument(count, values, 2, 128), repetitions = argument(count, values, 3, 5);
    Arena arena([](size_t bytes) { return std::aligned_alloc(64, (bytes + 63) / 64 * 64); },
                [](void* data) { std::free(data); });
    cpu::Winograd winograd(arena, cpu::select_loops());
    for (const Layer& layer : layers) run<Bfloat16>("bfloat16", layer, samples, repetitions, winograd);
    for (const Layer& layer : layers) run<float>("float32", layer, samples, repetitions, winograd);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "convolution_benchmark: %s\n", error.what());
    return 1;
  }
}
