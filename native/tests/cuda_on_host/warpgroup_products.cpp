// wgmma.mma_async.m64n128k16 with both operands in shared memory. PTX ISA, "Asynchronous Warpgroup Level Matrix
// Instructions": the fragments of D, "Shared Memory Matrix Layout" and "Matrix Descriptor Format".
#include "cuda_on_host/warpgroup_products.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>
#include <utility>

#include "backend/cuda/hopper/instructions.h"
#include "cuda_on_host/counting.h"

namespace layerwise::cuda_on_host {

namespace {

constexpr uint32_t sums_under_way = 0x7FC5A5A5u;  // a NaN
constexpr unsigned piece_elements = 8;            // bfloat16 in 16 bytes; as many pieces are a core matrix

/// Where D[row][column] is: in which thread's sums, and which of them.
struct SumPlace {
  unsigned thread, index;
};
SumPlace place_of(unsigned row, unsigned column) {
  return {row / 16 * 32 + row % 8 * 4 + column % 8 / 2, column / 8 * 4 + row % 16 / 8 * 2 + column % 2};
}

struct Descriptor {
  unsigned start, leading, stride, base;  // in pieces of 16 bytes, but base
  cuda::Swizzle swizzle;

  explicit Descriptor(uint64_t bits)
      : start(bits & 0x3FFF), leading(bits >> 16 & 0x3FFF), stride(bits >> 32 & 0x3FFF), base(bits >> 49 & 7),
        swizzle(static_cast<cuda::Swizzle>(bits >> 62)) {}
};

/// Over how many pieces the pattern of a swizzle goes before it moves to the next row.
unsigned pieces_across(cuda::Swizzle swizzle) {
  switch (swizzle) {
    case cuda::Swizzle::bytes_128: return 8;
    case cuda::Swizzle::bytes_64: return 4;
    case cuda::Swizzle::bytes_32: return 2;
    default: return 1;
  }
}

/// The pieces of an operand of `extent` rows (columns) and 16 terms, by core matrix: those of the first eight rows, first
/// terms 0 to 7 and then 8 to 15, and so on; in a core matrix by row, or by term where the operand is extent-major.
void list_pieces(const char* operand, uint64_t bits, bool is_extent_major, unsigned extent, uint16_t* pieces) {
  const Descriptor descriptor(bits);
  const unsigned across = pieces_across(descriptor.swizzle);
  if (descriptor.base != 0)
    fail_in_kernel(std::string("the descriptor of ") + operand + " has a base offset, which the host does not support");
  if ((descriptor.start >> 3 & (across - 1)) != 0)
    fail_in_kernel(std::string("the descriptor of ") + operand + " starts at byte " + std::to_string(descriptor.start * 16) +
                   ", in the middle of the pattern of its swizzle, which repeats every " + std::to_string(across * 128) +
                   " bytes");
  const size_t available = current->block->dynamic_shared_bytes / AsyncProxy::piece_bytes;
  for (unsigned group = 0; group < extent / 8; ++group)
    for (unsigned half = 0; half < 2; ++half)
      for (unsigned line = 0; line < piece_elements; ++line) {
        unsigned piece = descriptor.start + line * across;
        if (is_extent_major && across > 1)
          piece += group % across + group / across * descriptor.leading + half * descriptor.stride;
        else if (across > 1)
          piece += group * descriptor.stride + half;
        else
          piece += group * descriptor.stride + half * descriptor.leading;
        piece ^= piece >> 3 & (across - 1);
        if (piece >= available)
          fail_in_kernel(std::string("a product reads ") + operand + " at byte " + std::to_string(piece * 16) +
                         ", outside the dynamic shared memory");
        *pieces++ = static_cast<uint16_t>(piece);
      }
}

/// values[k][i] or, where `by_row`, values[i][k]
template <bool by_row, class T>
void load_operand(const uint16_t* pieces, bool is_extent_major, unsigned extent, T* values) {
  const char* const memory = current->block->dynamic_shared;
  for (unsigned group = 0; group < extent / 8; ++group)
    for (unsigned half = 0; half < 2; ++half)
      for (unsigned line = 0; line < piece_elements; ++line) {
        uint16_t elements[piece_elements];
        std::memcpy(elements, memory + *pieces++ * AsyncProxy::piece_bytes, sizeof elements);
        for (unsigned e = 0; e < piece_elements; ++e) {
          const unsigned i = group * 8 + (is_extent_major ? e : line), k = half * 8 + (is_extent_major ? line : e);
          values[by_row ? i * WarpgroupProducts::depth + k : k * extent + i] = to_float(Bfloat16{elements[e]});
        }
      }
}

using Row = float[WarpgroupProducts::columns];

/// Products of bfloat16 and, as long as no bits of double are lost, their sums are exact; then the sums are rounded once.
inline __attribute__((always_inline)) void multiply_and_add(const double* a, const double* b, bool adds, Row* values) {
  constexpr unsigned columns = WarpgroupProducts::columns, depth = WarpgroupProducts::depth, part = 16;
  for (unsigned row = 0; row < WarpgroupProducts::rows; ++row)
    for (unsigned first = 0; first < columns; first += part) {
      double sums[part] = {};
      for (unsigned k = 0; k < depth; ++k)
        for (unsigned i = 0; i < part; ++i) sums[i] += a[row * depth + k] * b[k * columns + first + i];
      for (unsigned i = 0; i < part; ++i) {
        float& value = values[row][first + i];
        value = static_cast<float>((adds ? value : 0.0f) + sums[i]);
      }
    }
}

__attribute__((target("avx2,fma"))) void multiply_and_add_avx2(const double* a, const double* b, bool adds, Row* values) {
  multiply_and_add(a, b, adds, values);
}

const ProductRequest& request_of(void* operand) { return *static_cast<const ProductRequest*>(operand); }

WarpgroupProducts& products_of_warpgroup() { return hopper_block().products[current->number / warpgroup_size]; }

}  // namespace

void WarpgroupProducts::begin() {
  products_.clear();
  group_ends_.clear();
  for (auto& sums : held_) spare_.push_back(std::move(sums));
  held_.clear();
}

void WarpgroupProducts::issue(void* const (&requests)[warpgroup_size]) {
  const ProductRequest& first = request_of(requests[0]);
  for (void* const request : requests) {
    const ProductRequest& other = request_of(request);
    if (other.a != first.a || other.b != first.b || other.adds != first.adds ||
        other.a_is_extent_major != first.a_is_extent_major || other.b_is_extent_major != first.b_is_extent_major)
      fail_in_kernel("multiply with different operands in a warpgroup");
  }
  AsyncProxy* const proxy = current->block->async_proxy;
  if (proxy == nullptr)
    fail_in_kernel("multiply in a block without barrier_init: only after that does the host follow what is in shared memory");
  Product product;
  product.a_is_extent_major = first.a_is_extent_major;
  product.b_is_extent_major = first.b_is_extent_major;
  product.adds = first.adds;
  list_pieces("A", first.a, first.a_is_extent_major, rows, product.pieces.data());
  list_pieces("B", first.b, first.b_is_extent_major, columns, product.pieces.data() + a_pieces);
  proxy->begin_read(product.pieces.data(), product.pieces.size());
  BlockCounter* const counter = current->block->counter;
  product.sums = counter == nullptr ? &sums_of(requests) : nullptr;
  if (counter != nullptr)
    counter->multiply_by_warpgroup(current->number / warp_size, product.pieces.data(), a_pieces,
                                   product.pieces.data() + a_pieces, b_pieces);
  products_.push_back(product);
}

/// Takes the threads' sums aside, unless they are there.
WarpgroupProducts::Sums& WarpgroupProducts::sums_of(void* const (&requests)[warpgroup_size]) {
  for (const auto& sums : held_)
    if (sums->of_thread[0] == request_of(requests[0]).sums) {
      for (unsigned thread = 0; thread < warpgroup_size; ++thread)
        if (sums->of_thread[thread] != request_of(requests[thread]).sums)
          fail_in_kernel("multiply with sums of different products in a warpgroup");
      return *sums;
    }
  if (spare_.empty()) spare_.push_back(std::make_unique<Sums>());
  held_.push_back(std::move(spare_.back()));
  spare_.pop_back();
  Sums& sums = *held_.back();
  for (unsigned thread = 0; thread < warpgroup_size; ++thread) sums.of_thread[thread] = request_of(requests[thread]).sums;
  for (unsigned row = 0; row < rows; ++row)
    for (unsigned column = 0; column < columns; ++column) {
      const SumPlace place = place_of(row, column);
      sums.values[row][column] = sums.of_thread[place.thread][place.index];
    }
  for (float* const of_thread : sums.of_thread)
    for (unsigned i = 0; i < sums_of_thread; ++i) std::memcpy(&of_thread[i], &sums_under_way, sizeof of_thread[i]);
  return sums;
}

void WarpgroupProducts::commit() { group_ends_.push_back(products_.size()); }

void WarpgroupProducts::wait(size_t most_pending) {
  if (products_.size() > (group_ends_.empty() ? 0 : group_ends_.back()))
    fail_in_kernel("waits for products of which some are in no group (commit_products)");
  if (group_ends_.size() <= most_pending) return;
  require_untouched();
  const auto groups = static_cast<ptrdiff_t>(group_ends_.size() - most_pending);
  const size_t end = group_ends_[static_cast<size_t>(groups) - 1];
  for (size_t i = 0; i < end; ++i) {
    if (products_[i].sums != nullptr) carry_out(products_[i]);
    current->block->async_proxy->end_read(products_[i].pieces.data(), products_[i].pieces.size());
  }
  products_.erase(products_.begin(), products_.begin() + static_cast<ptrdiff_t>(end));
  group_ends_.erase(group_ends_.begin(), group_ends_.begin() + groups);
  for (size_t& group_end : group_ends_) group_end -= end;
}

void WarpgroupProducts::require_untouched() const {
  uint32_t untouched[sums_of_thread];
  std::fill(std::begin(untouched), std::end(untouched), sums_under_way);
  for (const auto& sums : held_)
    for (const float* const of_thread : sums->of_thread)
      if (std::memcmp(of_thread, untouched, sizeof untouched) != 0)
        fail_in_kernel("sums were touched while products are under way");
}

void WarpgroupProducts::carry_out(const Product& product) const {
  static const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  double a[rows * depth], b[depth * columns];
  load_operand<true>(product.pieces.data(), product.a_is_extent_major, rows, a);
  load_operand<false>(product.pieces.data() + a_pieces, product.b_is_extent_major, columns, b);
  (has_avx2 ? multiply_and_add_avx2 : multiply_and_add)(a, b, product.adds, product.sums->values);
}

void WarpgroupProducts::finish(void* const (&sums)[warpgroup_size], int parts) {
  wait(0);
  if (BlockCounter* const counter = current->block->counter) counter->finish_products(current->number / warp_size);
  require_untouched();
  for (int part = 0; part < parts; ++part) {
    const float* const first = static_cast<float*>(sums[0]) + part * static_cast<int>(sums_of_thread);
    const auto found = std::find_if(held_.begin(), held_.end(),
                                    [first](const auto& held) { return held->of_thread[0] == first; });
    if (found == held_.end()) continue;  // no product added to them
    Sums& held = **found;
    for (unsigned row = 0; row < rows; ++row)
      for (unsigned column = 0; column < columns; ++column) {
        const SumPlace place = place_of(row, column);
        held.of_thread[place.thread][place.index] = held.values[row][column];
      }
    spare_.push_back(std::move(*found));
    held_.erase(found);
  }
}

void WarpgroupProducts::require_none() const {
  if (!products_.empty() || !held_.empty())
    fail_in_kernel("the thread ended while products are under way (finish_products)");
}

}  // namespace layerwise::cuda_on_host

namespace layerwise::cuda {

using namespace cuda_on_host;

uint64_t matrix_descriptor(const void* start, int leading_bytes, int stride_bytes, Swizzle swizzle) {
  const auto offset = static_cast<size_t>(static_cast<const char*>(start) - current->block->dynamic_shared);
  if (offset >= current->block->dynamic_shared_bytes)
    fail_in_kernel("matrix_descriptor of an address outside the dynamic shared memory");
  const auto field = [](size_t bytes, const char* name) {
    if (bytes % 16 != 0 || bytes >= 1 << 18)
      fail_in_kernel(std::string("matrix_descriptor with a ") + name + " of " + std::to_string(bytes) +
                     " bytes: it is a multiple of 16 below 256 KiB");
    return static_cast<uint64_t>(bytes >> 4);
  };
  return field(offset, "start") | field(static_cast<size_t>(leading_bytes), "leading offset") << 16 |
         field(static_cast<size_t>(stride_bytes), "stride") << 32 | static_cast<uint64_t>(swizzle) << 62;
}

uint64_t moved(uint64_t descriptor, int bytes) {
  const int64_t start = static_cast<int64_t>(descriptor & 0x3FFF) + bytes / 16;
  if (bytes % 16 != 0) fail_in_kernel("a descriptor is moved by " + std::to_string(bytes) + " bytes, no multiple of 16");
  if (start < 0 || start > 0x3FFF) fail_in_kernel("a descriptor is moved out of shared memory");
  return (descriptor & ~uint64_t{0x3FFF}) | static_cast<uint64_t>(start);
}

void issue_product(ProductRequest request) {
  if (!current->fenced_for_products)
    fail_in_kernel("multiply without warpgroup_fence since the kernel began or finish_products was called");
  warpgroup_operation("multiply", &request, [](void* const(&requests)[warpgroup_size]) {
    products_of_warpgroup().issue(requests);
  });
}

void commit_products() {
  warpgroup_operation("commit_products", nullptr,
                      [](void* const(&)[warpgroup_size]) { products_of_warpgroup().commit(); });
}

void wait_for_products(int most_pending) {
  warpgroup_operation("wait_products", &most_pending, [](void* const(&most)[warpgroup_size]) {
    products_of_warpgroup().wait(static_cast<size_t>(*static_cast<const int*>(most[0])));
  });
}

void give_back_sums(float* sums, int parts) {
  struct Operand {
    float* sums;
    int parts;
  } operand{sums, parts};
  warpgroup_operation("finish_products", &operand, [](void* const(&operands)[warpgroup_size]) {
    void* sums_of_threads[warpgroup_size];
    for (unsigned thread = 0; thread < warpgroup_size; ++thread)
      sums_of_threads[thread] = static_cast<const Operand*>(operands[thread])->sums;
    products_of_warpgroup().finish(sums_of_threads, static_cast<const Operand*>(operands[0])->parts);
  });
  current->fenced_for_products = false;
}

}  // namespace layerwise::cuda
