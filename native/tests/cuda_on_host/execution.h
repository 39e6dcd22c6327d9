// Runs a grid: the threads of a block take turns on one thread of the operating system, blocks run in
// parallel.
//
// A CUDA thread runs until it ends or waits for others; then another one goes on. Threads that waited
// together continue in the reverse of the order in which they arrived, blocks and the threads of a block
// start in an order of their own: code that relies on an order of execution is likely to fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "cuda_on_host/context.h"
#include "cuda_on_host/keywords.h"

namespace layerwise::cuda_on_host {

constexpr unsigned warp_size = 32;
constexpr unsigned warpgroup_size = 128;
constexpr unsigned most_threads_per_block = 1024;
constexpr size_t most_shared_bytes = 227 << 10;          // per block, after cudaFuncSetAttribute
constexpr size_t most_shared_bytes_by_default = 48 << 10;

/// A kernel did what it must not. The message names the kernel, the block and the threads.
class KernelFailure : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws KernelFailure from inside a kernel, naming it, the block and the thread.
[[noreturn]] void fail_in_kernel(const std::string& what);

struct Grid {
  const char* kernel = "";
  dim3 grid, block;
  size_t shared_bytes = 0;
  std::function<void()> body;  // what one thread does
  std::string symbol, label;   // where launches are counted (counting.h)
};

class BlockCounter;  // counting.h
class AsyncProxy;    // async_proxy.h
struct HopperBlock;  // hopper_block.h

/// Runs all blocks; throws KernelFailure for the first failure that is noticed.
void run_grid(const Grid& grid);

/// Runs one block, and counts what it does unless `counter` is null.
void run_block(const Grid& grid, uint64_t number, BlockCounter* counter);

/// cp.async of one thread, carried out when it waits for them.
class AsyncCopies {
 public:
  void issue(void* shared, const void* global, bool valid);
  void commit() { group_ends_.push_back(copies_.size()); }
  /// Completes all groups but the `most_pending` newest.
  void wait(size_t most_pending);
  void clear();

 private:
  struct Copy {
    void* shared;
    const void* global;  // null: zeros
  };
  std::vector<Copy> copies_;
  std::vector<size_t> group_ends_;
};

struct Block {
  uint3 index{};
  dim3 size, grid;
  const char* kernel = "";
  uint64_t serial = 0;          // differs between all blocks that this operating-system thread has run
  char* dynamic_shared = nullptr;
  size_t dynamic_shared_bytes = 0;
  BlockCounter* counter = nullptr;
  AsyncProxy* async_proxy = nullptr;  // from the block's first barrier_init() on
};

struct Thread;

/// Threads that wait; taken out last in, first out.
struct WaitingList {
  Thread* first = nullptr;
  Thread* last = nullptr;
};

/// Threads that do something together: a warp or a warpgroup.
template <unsigned members>
struct Gathering {
  unsigned arrived = 0, present = 0, exited = 0;
  const char* operation = nullptr;
  void* operands[members] = {};
  WaitingList waiting;

  /// For a new block, which has that many of the threads.
  void begin(unsigned threads) {
    arrived = exited = 0;
    present = threads;
    waiting = {};
  }
};
using Warp = Gathering<warp_size>;
using Warpgroup = Gathering<warpgroup_size>;

struct Thread {
  uint3 index{};
  const Block* block = nullptr;
  unsigned number = 0, lane = 0;
  Warp* warp = nullptr;
  Warpgroup* warpgroup = nullptr;
  Thread* next = nullptr;
  const char* waits_in = nullptr;
  bool has_begun = false;         // begin_kernel() was called
  bool fenced_for_products = false;  // warpgroup_fence() was called, and finish_products() not since
  AsyncCopies copies;
  Context context;
};

/// The running CUDA thread.
inline thread_local Thread* current = nullptr;

/// Waits for all threads of the block that have not ended. The place in the source must be the same.
void block_barrier(const char* file, int line);

/// Waits for the 32 threads of the warp; the last one calls `complete`, which sees what each lane gave
/// and writes each lane's result there.
void warp_operation(const char* name, void* operand, void (*complete)(void* const (&operands)[warp_size]));
/// The same for the 128 threads of a warpgroup.
void warpgroup_operation(const char* name, void* operand, void (*complete)(void* const (&operands)[warpgroup_size]));

/// Lets other threads run until release_threads(list). `where` is named if that never comes.
void wait_for_release(WaitingList& list, const char* where);
void release_threads(WaitingList& list);

/// What the running block has beyond others because its kernel uses hopper/instructions.h.
HopperBlock& hopper_block();
/// From now on the block's async_proxy is told what happens to the dynamic shared memory.
void watch_shared_memory();

}  // namespace layerwise::cuda_on_host

#define threadIdx (::layerwise::cuda_on_host::current->index)
#define blockIdx (::layerwise::cuda_on_host::current->block->index)
#define blockDim (::layerwise::cuda_on_host::current->block->size)
#define gridDim (::layerwise::cuda_on_host::current->block->grid)
