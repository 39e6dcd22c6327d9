// The fragment layouts of PTX ISA 8, "Warp-level matrix instructions". With g = lane / 4, t = lane % 4:
//   d[0], d[1]: row g, columns 2t, 2t+1; d[2], d[3]: row g+8.
//   bf16, K 16: a[0]: row g, columns 2t, 2t+1; a[1]: row g+8; a[2], a[3]: the same with columns + 8;
//               b[0]: rows 2t, 2t+1 of column g; b[1]: rows + 8.
//   tf32, K 8:  a[0]: row g, column t; a[1]: row g+8; a[2], a[3]: column t+4; b[0]: row t of column g; b[1]: row t+4.
#include "cuda_on_host/counting.h"
#include "cuda_on_host/device_code_on_host.h"

namespace layerwise::cuda {

namespace {

constexpr unsigned rows = 16, columns = 8;

float low_half(uint32_t pair) { return to_float(Bfloat16{static_cast<uint16_t>(pair)}); }
float high_half(uint32_t pair) { return to_float(Bfloat16{static_cast<uint16_t>(pair >> 16)}); }

/// The hardware ignores the lowest 13 bits of a tf32 operand.
float truncated_to_tf32(uint32_t bits) { return __uint_as_float(bits & 0xFFFFE000u); }

/// Whether the block is counted: then nothing is computed.
bool is_counted(bool is_bf16) {
  cuda_on_host::BlockCounter* const counter = cuda_on_host::current->block->counter;
  if (counter != nullptr) counter->multiply(is_bf16);
  return counter != nullptr;
}

/// Products are exact in float32 and double holds their sums: the order of the additions, which NVIDIA
/// does not specify, does not show. d is rounded once.
template <unsigned depth>
void multiply_accumulate(void* const (&operands)[cuda_on_host::warp_size], const float (&a)[rows][depth],
                         const float (&b)[depth][columns]) {
  double sum[rows][columns] = {};
  for (unsigned row = 0; row < rows; ++row)
    for (unsigned k = 0; k < depth; ++k)
      for (unsigned column = 0; column < columns; ++column)
        sum[row][column] += double{a[row][k]} * double{b[k][column]};
  for (unsigned lane = 0; lane < cuda_on_host::warp_size; ++lane) {
    float* d = static_cast<const MmaOperand*>(operands[lane])->d;
    const unsigned g = lane / 4, t = lane % 4;
    for (unsigned i = 0; i < 4; ++i) d[i] = static_cast<float>(d[i] + sum[g + i / 2 * 8][2 * t + i % 2]);
  }
}

template <bool transposed>
void load_matrices(void* const (&operands)[cuda_on_host::warp_size]) {
  if (cuda_on_host::BlockCounter* const counter = cuda_on_host::current->block->counter) {
    const void* rows[cuda_on_host::warp_size];
    for (unsigned lane = 0; lane < cuda_on_host::warp_size; ++lane)
      rows[lane] = static_cast<const MatrixOperand*>(operands[lane])->row;
    counter->load_matrix(rows);
  }
  for (unsigned lane = 0; lane < cuda_on_host::warp_size; ++lane) {
    uint32_t* registers = static_cast<const MatrixOperand*>(operands[lane])->registers;
    const unsigned g = lane / 4, t = lane % 4;
    for (unsigned matrix = 0; matrix < 4; ++matrix) {
      uint16_t pair[2];
      for (unsigned i = 0; i < 2; ++i) {
        const unsigned row = transposed ? 2 * t + i : g, column = transposed ? g : 2 * t + i;
        const void* start = static_cast<const MatrixOperand*>(operands[8 * matrix + row])->row;
        std::memcpy(&pair[i], static_cast<const char*>(start) + 2 * column, sizeof pair[i]);
      }
      std::memcpy(&registers[matrix], pair, sizeof pair);
    }
  }
}

}  // namespace

void complete_mma_bf16(void* const (&operands)[cuda_on_host::warp_size]) {
  if (is_counted(true)) return;
  float a[rows][16], b[16][columns];
  for (unsigned lane = 0; lane < cuda_on_host::warp_size; ++lane) {
    const auto& mine = *static_cast<const MmaOperand*>(operands[lane]);
    const unsigned g = lane / 4, t = lane % 4;
    for (unsigned i = 0; i < 4; ++i) {
      a[g + i % 2 * 8][2 * t + i / 2 * 8] = low_half(mine.a[i]);
      a[g + i % 2 * 8][2 * t + i / 2 * 8 + 1] = high_half(mine.a[i]);
    }
    for (unsigned i = 0; i < 2; ++i) {
      b[2 * t + i * 8][g] = low_half(mine.b[i]);
      b[2 * t + i * 8 + 1][g] = high_half(mine.b[i]);
    }
  }
  multiply_accumulate(operands, a, b);
}

void complete_mma_tf32(void* const (&operands)[cuda_on_host::warp_size]) {
  if (is_counted(false)) return;
  float a[rows][8], b[8][columns];
  for (unsigned lane = 0; lane < cuda_on_host::warp_size; ++lane) {
    const auto& mine = *static_cast<const MmaOperand*>(operands[lane]);
    const unsigned g = lane / 4, t = lane % 4;
    for (unsigned i = 0; i < 4; ++i) a[g + i % 2 * 8][t + i / 2 * 4] = truncated_to_tf32(mine.a[i]);
    for (unsigned i = 0; i < 2; ++i) b[t + i * 4][g] = truncated_to_tf32(mine.b[i]);
  }
  multiply_accumulate(operands, a, b);
}

void complete_load_matrix(void* const (&operands)[cuda_on_host::warp_size]) { load_matrices<false>(operands); }

void complete_load_matrix_transposed(void* const (&operands)[cuda_on_host::warp_size]) {
  load_matrices<true>(operands);
}

}  // namespace layerwise::cuda
