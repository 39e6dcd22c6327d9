// The tables of loops, and the choice among them.
#include "backend/cpu/loops.h"

#include "dnnl.hpp"

namespace layerwise::cpu {

// Defined in loops_*.cpp, once per vector extension; each fills the members of its section.
#define LAYERWISE_LOOPS_OF(extension)              \
  namespace extension {                            \
  void set_statistics_loops(Loops& loops);         \
  void set_forward_loops(Loops& loops);            \
  void set_gradient_loops(Loops& loops);           \
  void set_vector_loops(Loops& loops);             \
  void set_winograd_input_loops(Loops& loops);     \
  void set_winograd_output_loops(Loops& loops);    \
  }                                                \
  static Loops make_##extension##_loops() {        \
    Loops loops{};                                 \
    loops.instructions = #extension;               \
    extension::set_statistics_loops(loops);        \
    extension::set_forward_loops(loops);           \
    extension::set_gradient_loops(loops);          \
    extension::set_vector_loops(loops);            \
    extension::set_winograd_input_loops(loops);    \
    extension::set_winograd_output_loops(loops);   \
    return loops;                                  \
  }

LAYERWISE_LOOPS_OF(baseline)
LAYERWISE_LOOPS_OF(avx2)
LAYERWISE_LOOPS_OF(avx512)
LAYERWISE_LOOPS_OF(avx512_bf16)

#undef LAYERWISE_LOOPS_OF

namespace {

bool allowed(dnnl::cpu_isa isa) {
  const auto bits = static_cast<unsigned>(isa);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bits) == bits;
}

bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

bool has_avx512_bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }

Loops best_loops() {
  if (has_avx512_bf16() && allowed(dnnl::cpu_isa::avx512_core_bf16)) {
    Loops loops = make_avx512_bf16_loops();
    loops.multiplies_bfloat16 = true;
    return loops;
  }
  if (has_avx512() && allowed(dnnl::cpu_isa::avx512_core)) return make_avx512_loops();
  if (has_avx2() && allowed(dnnl::cpu_isa::avx2)) return make_avx2_loops();
  return make_baseline_loops();
}

}  // namespace

Bfloat16Products bfloat16_products() {
  if (has_avx512_bf16() && allowed(dnnl::cpu_isa::avx512_core_bf16)) return Bfloat16Products::fast;
  // oneDNN converts to float32 and back on the way.
  return has_avx512() && allowed(dnnl::cpu_isa::avx512_core) ? Bfloat16Products::slow : Bfloat16Products::none;
}

const Loops& select_loops() {
  static const Loops loops = best_loops();
  return loops;
}

}  // namespace layerwise::cpu
