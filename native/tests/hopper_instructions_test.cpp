// What the host makes of hopper/instructions.h: products by a warpgroup of operands in every layout, and mistakes found.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/hopper/instructions.h"
#include "backend/cuda/runtime.h"
#include "kernel_failure.h"

namespace layerwise::test {

namespace {

using namespace layerwise::cuda;

constexpr float first_sum = 0.5f;

/// What a kernel does wrong.
enum class Fault {
  none,
  no_barrier_init,
  part_not_copied,
  no_copy_wait,
  no_proxy_fence,
  proxy_fence_too_early,
  no_warpgroup_fence,
  no_second_warpgroup_fence,
  no_commit,
  no_finish,
  sums_read_after_wait,
  sums_touched,
  copy_while_read,
  store_while_read,
  different_descriptors,
  half_a_warpgroup,
};

/// Where an operand is in shared memory. One product is for 16 terms; the next 16 are step_bytes further on.
struct Operand {
  int start = 0, leading = 0, stride = 0, step_bytes = 0;
  Swizzle swizzle = Swizzle::none;
};

/// Copies an image of the shared memory there and multiplies. Each thread's sums start with first_sum.
template <Inner a_inner, Inner b_inner>
__global__ void product_kernel(const char* image, int bytes, Operand a, Operand b, int steps, Fault fault, float* out) {
  begin_kernel();
  LAYERWISE_DYNAMIC_SHARED(char, memory);
  LAYERWISE_SHARED(uint64_t, barrier, [1]);
  const int thread = static_cast<int>(threadIdx.x);
  if (thread == 0 && fault != Fault::no_barrier_init) barrier_init(barrier, 1);
  __syncthreads();
  for (int at = 16 * thread; at < bytes; at += 16 * warpgroup_threads)
    if (fault != Fault::part_not_copied || at != b.start) copy_async_16(memory + at, image + at, true);
  copy_async_commit();
  if (fault == Fault::proxy_fence_too_early) fence_async_proxy();
  if (fault != Fault::no_copy_wait) copy_async_wait<0>();
  if (fault != Fault::no_proxy_fence && fault != Fault::proxy_fence_too_early) fence_async_proxy();
  __syncthreads();

  float sums[1][product_sums];
  for (float& sum : sums[0]) sum = first_sum;
  uint64_t a_matrix = matrix_descriptor(memory + a.start, a.leading, a.stride, a.swizzle);
  const uint64_t b_matrix = matrix_descriptor(memory + b.start, b.leading, b.stride, b.swizzle);
  if (fault == Fault::different_descriptors && thread == 77) a_matrix = moved(a_matrix, 16);
  if (fault == Fault::half_a_warpgroup && thread >= 64) return;
  if (fault != Fault::no_warpgroup_fence) warpgroup_fence();
  for (int step = 0; step < steps; ++step)
    multiply<a_inner, b_inner>(sums[0], moved(a_matrix, step * a.step_bytes), moved(b_matrix, step * b.step_bytes), true);
  if (fault != Fault::no_commit) commit_products();
  if (fault == Fault::copy_while_read && thread == 5) copy_async_16(memory + a.start, image, true);
  if (fault == Fault::store_while_read && thread == 5) store_vector(memory + b.start, {});
  if (fault == Fault::sums_touched && thread == 5) sums[0][3] = 0;
  if (fault == Fault::sums_read_after_wait) {
    wait_products<0>();
    out[thread] = sums[0][0];
  }
  if (fault == Fault::no_finish) return;
  finish_products(sums);
  if (fault == Fault::no_second_warpgroup_fence) multiply<a_inner, b_inner>(sums[0], a_matrix, b_matrix, true);
  if (fault == Fault::sums_read_after_wait) return;
  const int row = thread / 32 * 16 + thread % 32 / 4, column = thread % 4 * 2;
  for (int i = 0; i < product_sums; ++i)
    out[(row + i / 2 % 2 * 8) * product_columns + i / 4 * 8 + column + i % 2] = sums[0][i];
}

/// A matrix of `extent` rows (of A; columns of B) and some terms, and how it is put into shared memory.
class Layout {
 public:
  Layout(Inner inner, Swizzle swizzle, int extent, int start) : inner_(inner), extent_(extent) {
    operand_.start = start;
    operand_.swizzle = swizzle;
    width_ = swizzle == Swizzle::bytes_128 ? 128 : swizzle == Swizzle::bytes_64 ? 64 : swizzle == Swizzle::bytes_32 ? 32 : 16;
    if (swizzle == Swizzle::none) {  // core matrices of the first eight terms, those of the next eight, ...
      operand_.stride = 128;
      operand_.leading = 128 * extent / 8;
      operand_.step_bytes = 2 * operand_.leading;
    } else if (inner == Inner::depth) {  // rows of all terms
      operand_.stride = 8 * width_;
      operand_.leading = 16;
      operand_.step_bytes = 32;
    } else {  // rows of width_ / 2 neighbours; eight for eight terms, then the next neighbours, then the next terms
      operand_.leading = 8 * width_;
      operand_.stride = 8 * extent * 2;
      operand_.step_bytes = 2 * operand_.stride;
    }
  }

  const Operand& operand() const { return operand_; }
  Inner inner() const { return inner_; }
  int depth() const { return inner_ == Inner::depth && width_ > 16 ? width_ / 2 : 32; }
  int bytes() const { return extent_ * depth() * 2; }

  /// Of the element for row (column) i and term k.
  int place(int i, int k) const {
    const int outer = inner_ == Inner::depth ? i : k, inner = inner_ == Inner::depth ? k : i;
    if (width_ == 16) return operand_.start + i / 8 * operand_.stride + k / 8 * operand_.leading + outer % 8 * 16 + inner % 8 * 2;
    // A swizzle of 128 bytes permutes the pieces of a row by the row's number, others by that of the 128 bytes in which
    // the row lies.
    const int pieces = width_ / 16, line = outer % 8 * width_ / 128;
    const int in_row = (inner / 8 % pieces ^ line % pieces) * 16 + inner % 8 * 2;
    const int row = operand_.start + outer % 8 * width_ + in_row;
    return inner_ == Inner::depth ? row + i / 8 * operand_.stride
                                  : row + k / 8 * operand_.stride + i / (width_ / 2) * operand_.leading;
  }

 private:
  Inner inner_;
  int extent_, width_;
  Operand operand_;
};

// Multiples of 1/8 of few bits: products and sums are exact.
float number(int i, int k, int modulus) { return static_cast<float>((i * 7 + k * 13 + i * k % 5) % modulus - modulus / 2) / 8; }
float a_number(int row, int k) { return number(row, k, 23); }
float b_number(int column, int k) { return number(column, k, 19); }

struct Outcome {
  std::vector<float> sums = std::vector<float>(product_rows * product_columns, -1000.0f);
  int depth = 0;

  float wanted(int row, int column) const {
    float sum = first_sum;
    for (int k = 0; k < depth; ++k) sum += a_number(row, k) * b_number(column, k);
    return sum;
  }
  bool is_right() const {
    for (int row = 0; row < product_rows; ++row)
      for (int column = 0; column < product_columns; ++column)
        if (!(sums[static_cast<size_t>(row * product_columns + column)] == wanted(row, column))) return false;
    return true;
  }
};

/// Multiplies; `a` and `b` are what the descriptors say, the layouts where the operands really are.
Outcome multiply_on_host(const Layout& a_layout, const Layout& b_layout, const Operand& a, const Operand& b,
                         Fault fault = Fault::none) {
  Outcome outcome;
  outcome.depth = std::min(a_layout.depth(), b_layout.depth());
  const int bytes = std::max(a_layout.operand().start + a_layout.bytes(), b_layout.operand().start + b_layout.bytes());
  const DeviceMemory memory = make_device_memory(static_cast<size_t>(bytes));
  char* const image = static_cast<char*>(memory.get());
  const auto put = [image](int place, float value) {
    const Bfloat16 element = to_bfloat16(value);
    std::memcpy(image + place, &element, sizeof element);
  };
  for (int k = 0; k < outcome.depth; ++k) {
    for (int row = 0; row < product_rows; ++row) put(a_layout.place(row, k), a_number(row, k));
    for (int column = 0; column < product_columns; ++column) put(b_layout.place(column, k), b_number(column, k));
  }
  const auto launch = [&](auto kernel) {
    LAYERWISE_LAUNCH(kernel, 1, warpgroup_threads, static_cast<size_t>(bytes), nullptr, image, bytes, a, b,
                     outcome.depth / product_depth, fault, outcome.sums.data());
  };
  const bool a_by_depth = a_layout.inner() == Inner::depth, b_by_depth = b_layout.inner() == Inner::depth;
  if (a_by_depth && b_by_depth) launch(product_kernel<Inner::depth, Inner::depth>);
  if (a_by_depth && !b_by_depth) launch(product_kernel<Inner::depth, Inner::extent>);
  if (!a_by_depth && b_by_depth) launch(product_kernel<Inner::extent, Inner::depth>);
  if (!a_by_depth && !b_by_depth) launch(product_kernel<Inner::extent, Inner::extent>);
  return outcome;
}

Layout a_layout(Inner inner, Swizzle swizzle) { return {inner, swizzle, product_rows, 0}; }
Layout b_layout(Inner inner, Swizzle swizzle) { return {inner, swizzle, product_columns, 16 << 10}; }

Outcome with_fault(Fault fault) {
  const Layout a = a_layout(Inner::depth, Swizzle::bytes_128), b = b_layout(Inner::extent, Swizzle::none);
  return multiply_on_host(a, b, a.operand(), b.operand(), fault);
}

void expect_failure(Fault fault, const std::string& part) {
  const std::string failure = kernel_failure_of([fault] { with_fault(fault); });
  EXPECT_NE(failure.find(part), std::string::npos) << "failed with: " << failure;
}

const Swizzle swizzles[] = {Swizzle::none, Swizzle::bytes_32, Swizzle::bytes_64, Swizzle::bytes_128};
const Inner inners[] = {Inner::depth, Inner::extent};

}  // namespace

TEST(HopperInstructions, products_of_operands_in_every_layout) {
  for (const Inner a_inner : inners)
    for (const Swizzle a_swizzle : swizzles)
      for (const Inner b_inner : inners)
        for (const Swizzle b_swizzle : swizzles) {
          const Layout a = a_layout(a_inner, a_swizzle), b = b_layout(b_inner, b_swizzle);
          EXPECT_TRUE(multiply_on_host(a, b, a.operand(), b.operand()).is_right())
              << "A " << (a_inner == Inner::depth ? "K" : "M") << "-major, swizzle " << static_cast<int>(a_swizzle) << "; B "
              << (b_inner == Inner::depth ? "K" : "N") << "-major, swizzle " << static_cast<int>(b_swizzle);
        }
}

TEST(HopperInstructions, a_descriptor_with_another_swizzle_or_with_offsets_exchanged_gives_no_right_result) {
  for (const Inner inner : inners)
    for (const Swizzle swizzle : swizzles) {
      const Layout a = a_layout(inner, swizzle), b = b_layout(inner, swizzle);
      const auto is_found = [&](const Operand& a_told, const Operand& b_told) {
        bool is_right = false;
        const std::string failure = kernel_failure_of([&] { is_right = multiply_on_host(a, b, a_told, b_told).is_right(); });
        return !failure.empty() || !is_right;
      };
      for (const Swizzle other : swizzles) {
        if (other == swizzle) continue;
        Operand told = a.operand();
        told.swizzle = other;
        EXPECT_TRUE(is_found(told, b.operand())) << static_cast<int>(swizzle) << " as " << static_cast<int>(other);
      }
      Operand told = b.operand();
      std::swap(told.leading, told.stride);
      // Of a K-major operand with a swizzle the leading offset is not used, but the stride is.
      EXPECT_TRUE(is_found(a.operand(), told)) << static_cast<int>(swizzle);
    }
}

TEST(HopperInstructions, descriptors_stay_in_shared_memory_and_on_the_pattern_of_their_swizzle) {
  const Layout a = a_layout(Inner::depth, Swizzle::bytes_128), b = b_layout(Inner::depth, Swizzle::none);
  const auto failure_with = [&](const Operand& told) {
    return kernel_failure_of([&] { multiply_on_host(a, b, told, b.operand()); });
  };
  Operand told = a.operand();
  told.start = 128;
  EXPECT_NE(failure_with(told).find("in the middle of the pattern of its swizzle"), std::string::npos);
  told = a.operand();
  told.stride = 64 << 10;
  EXPECT_NE(failure_with(told).find("outside the dynamic shared memory"), std::string::npos);
  told = a.operand();
  told.stride = 24;
  EXPECT_NE(failure_with(told).find("multiple of 16"), std::string::npos);
}

TEST(HopperInstructions, what_products_may_not_see_yet_is_found) {
  EXPECT_TRUE(with_fault(Fault::none).is_right());
  expect_failure(Fault::no_copy_wait, "has not arrived (copy_async_wait)");
  expect_failure(Fault::no_proxy_fence, "wrote without a fence_async_proxy after it");
  expect_failure(Fault::proxy_fence_too_early, "wrote without a fence_async_proxy after it");
  expect_failure(Fault::no_barrier_init, "without barrier_init");
  expect_failure(Fault::part_not_copied, "which neither copy_async_16 nor store_vector has written");
}

TEST(HopperInstructions, what_products_still_read_may_not_be_overwritten) {
  expect_failure(Fault::copy_while_read, "is overwritten while a product still reads it");
  expect_failure(Fault::store_while_read, "is overwritten while a product still reads it");
}

TEST(HopperInstructions, sums_are_there_when_products_are_finished) {
  const Outcome early = with_fault(Fault::sums_read_after_wait);
  for (size_t thread = 0; thread < warpgroup_threads; ++thread) EXPECT_TRUE(std::isnan(early.sums[thread]));
  expect_failure(Fault::sums_touched, "sums were touched while products are under way");
  expect_failure(Fault::no_finish, "the thread ended while products are under way (finish_products)");
}

TEST(HopperInstructions, products_need_their_fence_and_their_group_and_the_whole_warpgroup) {
  expect_failure(Fault::no_warpgroup_fence, "multiply without warpgroup_fence");
  expect_failure(Fault::no_second_warpgroup_fence, "multiply without warpgroup_fence");
  expect_failure(Fault::no_commit, "some are in no group (commit_products)");
  expect_failure(Fault::different_descriptors, "different operands in a warpgroup");
  expect_failure(Fault::half_a_warpgroup, "warpgroup");
}

}  // namespace layerwise::test
