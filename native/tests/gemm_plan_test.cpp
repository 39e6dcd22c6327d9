// Which tiles and how many pieces the implicit GEMM takes, on GPUs of several sizes, and that the table of cases reaches
// them.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/cuda/cuda_backend.h"
#include "backend/cuda/engines/engines.h"
#include "backend/cuda/implicit_gemm_launch.h"
#include "cuda_on_host/runtime_api.h"
#include "operation_cases.h"

namespace layerwise::test {

namespace {

// Of shared memory, at least; small tiles take half of what large ones do.
constexpr size_t large_tile_bytes = size_t{64} << 10, tall_tile_bytes = size_t{128} << 10;

/// A product of vgg8b at batch 128: rows, columns, depth, and whether the sum may be divided.
struct Product {
  const char* what;
  int64_t rows, columns, depth;
  bool pieces;
};
const std::vector<Product> products = {
    {"forward 128 to 256, 32x32", 128 * 1024, 256, 9 * 128, false},
    {"forward 256 to 512, 16x16", 128 * 256, 512, 9 * 256, false},
    {"data gradient of 512, 8x8", 128 * 64, 512, 9 * 512, false},
    {"weight gradient 128 to 256, 32x32", 256, 9 * 128, 128 * 1024, true},
    {"weight gradient 512 to 512, 8x8", 512, 9 * 512, 128 * 64, true},
};

/// Of kernels with so much shared memory or more.
int64_t launches_with(size_t shared_bytes) {
  int64_t launches = 0;
  for (const cuda_on_host::LaunchedKernel& kernel : cuda_on_host::launched_kernels())
    if (kernel.dynamic_shared_bytes >= shared_bytes) launches += kernel.launches;
  return launches;
}

std::unique_ptr<Backend> make_backend(Precision precision) {
  DeviceOptions options;
  options.precision = precision;
  options.engine = "fused";
  return make_cuda_backend("cuda-on-host", options);
}

}  // namespace

TEST(GemmPlan, takes_large_tiles_for_the_products_of_training) {
  for (const int multiprocessors : {114, 132, 144}) {
    for (const Product& p : products) {
      cuda::GemmProblem problem{p.rows, p.columns, p.depth, 2, true, true};
      problem.may_divide = p.pieces;
      const cuda::GemmPlan plan = cuda::plan_gemm(problem, multiprocessors);
      EXPECT_NE(plan.tile, cuda::TileSize::small) << p.what << " on " << multiprocessors;
      EXPECT_EQ(plan.pieces, (plan.depth_tiles + plan.depth_tiles_per_piece - 1) / plan.depth_tiles_per_piece);
      EXPECT_TRUE(p.pieces || plan.pieces == 1);
      EXPECT_GE(plan.wave_efficiency(multiprocessors), p.pieces ? 0.8 : 0.55)  // 128 tiles on 114 places
          << p.what << ": " << plan.blocks() << " blocks on " << multiprocessors;
    }
  }
}

TEST(GemmPlan, takes_tall_tiles_where_the_rows_fill_them) {
  for (const Product& p : products) {
    cuda::GemmProblem problem{p.rows, p.columns, p.depth, 2, true, true};
    problem.may_divide = p.pieces;
    EXPECT_EQ(cuda::plan_gemm(problem, 132).tile, cuda::TileSize::tall) << p.what;
    problem.shared_bytes = 100 << 10;
    EXPECT_NE(cuda::plan_gemm(problem, 132).tile, cuda::TileSize::tall) << p.what << " without room for the accumulators";
    problem.shared_bytes = 228 << 10;
    problem.element_bytes = 4;
    EXPECT_NE(cuda::plan_gemm(problem, 132).tile, cuda::TileSize::tall) << p.what << " in float32";
  }
  cuda::GemmProblem narrow{128, 9 * 128, 128 * 1024, 2, true, true};
  narrow.may_divide = true;
  EXPECT_NE(cuda::plan_gemm(narrow, 132).tile, cuda::TileSize::tall) << "half of each tile would be empty";
}

/// Large and tall tiles: of the outputs on a card of 132 multiprocessors, and of some weight gradients, whose sum is
/// divided, on one of 16; for 132 they would have to be larger than is quick to compute here.
TEST(GemmPlan, of_large_tiles_is_reached_by_the_table_of_cases) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "takes minutes here";
#endif
  for (const Precision precision : {Precision::f32, Precision::bf16}) {
    for (const OperationCase& operation : many_tile_cases()) {
      const bool divided = operation.name.find("many_pieces") != std::string::npos;
      cuda_on_host::set_multiprocessors(divided ? 16 : 132);
      const std::unique_ptr<Backend> backend = make_backend(precision);
      cuda_on_host::set_multiprocessors(4);
      backend->enter();
      const bool tall = precision == Precision::bf16 && operation.name.find("tall_tiles") != std::string::npos;
      const size_t bytes = tall ? tall_tile_bytes : large_tile_bytes;
      const int64_t before = launches_with(bytes);
      Operands operands(*backend, 1, backend->activation_type());
      operation.run(operands);
      EXPECT_GT(launches_with(bytes), before) << operation.name;
    }
  }
}

/// Each multiprocessor's shared memory must have room for as many blocks as its registers have: two of large tiles, one of
/// tall ones.
TEST(GemmPlan, leaves_room_for_all_resident_blocks_in_shared_memory) {
  cuda_on_host::set_multiprocessors(132);
  const std::unique_ptr<Backend> backend = make_backend(Precision::bf16);
  cuda_on_host::set_multiprocessors(4);
  backend->enter();
  std::map<const void*, int64_t> before;  // other tests of this process launch kernels of other kinds
  for (const cuda_on_host::LaunchedKernel& kernel : cuda_on_host::launched_kernels())
    before[kernel.kernel] = kernel.launches;
  for (const OperationCase& operation : many_tile_cases()) {
    Operands operands(*backend, 1, DataType::bfloat16);
    operation.run(operands);
  }
  int large = 0;
  for (const cuda_on_host::LaunchedKernel& kernel : cuda_on_host::launched_kernels()) {
    const bool is_product = std::string(kernel.name).find("implicit_gemm") != std::string::npos;
    if (!is_product || kernel.launches == before[kernel.kernel]) continue;
    EXPECT_GE(cuda_on_host::resident_blocks(kernel.kernel, kernel.dynamic_shared_bytes),
              kernel.dynamic_shared_bytes >= tall_tile_bytes ? 1 : 2);
    large += kernel.dynamic_shared_bytes >= large_tile_bytes ? 1 : 0;
  }
  EXPECT_GE(large, 2);
}

TEST(GemmPlan, asks_for_the_shared_memory_of_its_blocks) {
  EXPECT_EQ(cuda::shared_memory_carveout(2, 67584, 228 << 10), 59);
  EXPECT_EQ(cuda::shared_memory_carveout(4, 100 << 10, 228 << 10), 100);
  EXPECT_EQ(cuda::shared_memory_carveout(1, 0, 228 << 10), 1);
}

TEST(KernelRevision, is_twelve_hexadecimal_digits) {
  const std::string revision = cuda::kernel_revision();
  EXPECT_EQ(revision.size(), 12u);
  EXPECT_EQ(revision.find_first_not_of("0123456789abcdef"), std::string::npos);
}

}  // namespace layerwise::test
