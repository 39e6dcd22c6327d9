// What a kernel costs a GPU, as far as it can be counted: requests to memory and how many parts the hardware divides them
// into, tensor-core operations, barriers. Off unless count_launches() is called.
//
// Accesses are seen where the kernel's source was compiled with -fsanitize=thread, whose calls counting_hooks.cpp answers:
// every load and store of it, by plain subscripts too. cp.async, ldmatrix and mma report themselves. The threads of a warp
// run one after the other here; what would be one request of a warp is found again by the place in the code and the
// number of times that a thread came past it since the warp's last synchronization. (A warp whose threads come past a
// place a different number of times, in branches that they take apart, is counted slightly wrong. barrier_wait begins anew
// like a synchronization of the warp, for each thread that calls it.)
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cuda_on_host/execution.h"

namespace layerwise::cuda_on_host {

/// Requests of whole warps to one kind of memory.
struct Requests {
  int64_t requests = 0;
  int64_t parts = 0;  // shared memory: wavefronts, what one cycle serves; global memory: sectors of 32 bytes
  int64_t bytes = 0;  // that threads asked for

  void add(const Requests& other);
};

struct Counts {
  int64_t mma_bf16 = 0, mma_tf32 = 0;  // 16×8×16 and 16×8×8
  int64_t wgmma = 0;                   // 64×128×16, of warpgroups
  int64_t shuffles = 0, barriers = 0;  // of warps
  Requests shared_loads, shared_stores;
  Requests matrix_loads;                // ldmatrix
  Requests product_loads;               // wgmma: one for A and one for B
  Requests copies_read, copies_stored;  // cp.async: its global side and its shared side
  Requests global_loads, global_stores;

  void add(const Counts& other);
};

/// Bytes of device memory between the first and the last that some place in the code has touched in an allocation.
class Footprint {
 public:
  void touch(const void* site, uintptr_t allocation, uintptr_t begin, uintptr_t end);
  void merge(const Footprint& other);
  /// Of all places together; what several have touched counts once.
  int64_t bytes() const;

 private:
  struct Range {
    uintptr_t begin, end;
  };
  std::map<std::pair<const void*, uintptr_t>, Range> ranges_;  // by site and allocation
};

/// One kernel, or a copy or fill, that was given to a stream.
struct LaunchCounts {
  std::string label;           // set_label()
  std::string kernel;          // its symbol, or "copy" or "fill"
  int64_t blocks = 0, counted_blocks = 0;
  int threads = 0;             // of a block
  size_t shared_bytes = 0;     // dynamic
  // Of the counted blocks. With mma: up to each warp's last one, and after it. With wgmma: tail is what a warp does between
  // finish_products() and its next product, the rest is main; so is all of a warp that multiplies nothing. Without products
  // all is main.
  Counts main, tail;
  int64_t finished_tiles = 0;  // of the counted blocks, by wgmma: how often finish_products() was called by the warp, in
                               // each block, that called it most often
  double tiles = 1;            // the same of a block, on average; 1 where there is no wgmma
  int most_tiles = 1;          // of one block
  Footprint read, written;
  int64_t copied_bytes = 0;    // copies and fills
};

/// From now on launches run `most_blocks` of their blocks at most, evenly spread from the first to the last, and fewer,
/// but 4, where they do much; 0: none. What they compute is lost: device memory holds zeros at first, and tensor cores
/// compute nothing. Throws std::runtime_error where no kernel was compiled for counting.
void count_launches(int64_t most_blocks);
/// Back to running kernels; what was counted since, in the order in which it ran.
std::vector<LaunchCounts> end_counting();

/// What launches from now on belong to.
void set_label(const std::string& label);

// ---- for the emulator -----------------------------------------------------------------------------

/// Called where code that was compiled for counting is part of the program.
void kernels_are_instrumented();

bool is_counting();
const std::string& label();
void count_grid(const Grid& grid);
void count_transfer(const char* kind, const std::string& label, size_t bytes);

/// What one block does. Used by one thread of the operating system.
class BlockCounter {
 public:
  enum class Access : uint8_t { load, store, copy_read, copy_store };

  void begin(const Block& block, size_t shared_bytes);
  void add_shared(const void* begin, size_t bytes);
  void note(Access kind, const void* address, size_t bytes, const void* site);
  void load_matrix(const void* const (&rows)[warp_size]);
  void multiply(bool is_bf16);
  /// wgmma of the warpgroup to which the warp belongs; operands as core matrices of eight numbers of 16-byte pieces each.
  void multiply_by_warpgroup(unsigned warp, const uint16_t* a, size_t a_pieces, const uint16_t* b, size_t b_pieces);
  void finish_products(unsigned warp);
  void shuffle() { ++of_warp().shuffles; }
  /// Of the warps from first to end - 1.
  void barrier(unsigned first, unsigned end);
  /// What the running thread accesses from now on belongs together with what others do after as many waits.
  void waited() { ++waits_[current->number]; }
  /// All threads of the warp have come as far as they can without each other.
  void synchronize(unsigned warp);
  /// Adds what the block did.
  void end(LaunchCounts& to);

  /// A rough measure of how much has been counted.
  int64_t work() const { return work_; }

 private:
  struct Entry {
    const void* site;
    uintptr_t address;
    uint32_t waits, occurrence;
    uint8_t lane, bytes;
    Access kind;
    bool is_shared;
  };
  struct WarpCounts {
    Counts main, tail, recent;  // recent: since the last mma, multiply or finish_products
    bool multiplied = false;    // by mma
    bool is_in_tail = false;    // finish_products was called, and multiply not since
    int finished_tiles = 0;
    std::vector<Entry> entries;
  };
  using Group = std::vector<Entry>::const_iterator;

  Counts& of_warp();
  void close_recent(WarpCounts& warp) const;
  void add_request(Counts& counts, Group begin, Group end);

  std::vector<std::pair<uintptr_t, uintptr_t>> shared_;  // ranges
  std::array<WarpCounts, most_threads_per_block / warp_size> warps_;
  std::array<uint32_t, most_threads_per_block> waits_{};  // of each thread since its warp's last synchronization
  unsigned used_warps_ = 0;
  Footprint read_, written_;
  int64_t work_ = 0;
};

}  // namespace layerwise::cuda_on_host
