// What a block needs on the host for the instructions of hopper/instructions.h.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>

#include "cuda_on_host/async_proxy.h"
#include "cuda_on_host/warpgroup_products.h"

namespace layerwise::cuda_on_host {

/// mbarrier. The eight bytes in shared memory hold a mark that shows whether something else was written there.
struct SharedBarrier {
  unsigned arrivals = 0;  // that end a phase
  unsigned missing = 0;   // of them, in this phase
  unsigned parity = 0;    // of this phase
  WaitingList waiting;
};

/// bar.sync
struct NamedBarrier {
  unsigned threads = 0, arrived = 0;
  std::array<uint8_t, most_threads_per_block / warp_size> arrived_of_warp{};
  WaitingList waiting;
};

/// Registers that move between warpgroups (setmaxnreg).
struct Registers {
  std::array<unsigned, most_threads_per_block / warpgroup_size> of_warpgroup{};  // of each of its threads
  unsigned unclaimed = 0;                                                        // of the whole block
  WaitingList waiting;
};

struct HopperBlock {
  AsyncProxy async_proxy;  // in use where Block::async_proxy is set
  std::unordered_map<uintptr_t, SharedBarrier> barriers;  // by address
  std::array<NamedBarrier, 16> named_barriers;            // 0 is __syncthreads
  Registers registers;
  std::array<WarpgroupProducts, most_threads_per_block / warpgroup_size> products;

  /// For a new block of that many threads.
  void begin(unsigned threads);
};

}  // namespace layerwise::cuda_on_host
