// Barriers in shared memory, barriers with numbers, and registers that move between warpgroups.
#include <algorithm>
#include <string>

#include "backend/cuda/hopper/instructions.h"
#include "cuda_on_host/counting.h"

namespace layerwise::cuda_on_host {

namespace {

constexpr unsigned registers_of_block = 65536;
constexpr unsigned most_registers_of_thread = 248;  // the largest multiple of 8 that a kernel can be compiled for

}  // namespace

void HopperBlock::begin(unsigned threads) {
  barriers.clear();
  named_barriers.fill({});
  registers = {};
  registers.of_warpgroup.fill(std::min(registers_of_block / threads / 8 * 8, most_registers_of_thread));
  for (WarpgroupProducts& of_warpgroup : products) of_warpgroup.begin();
}

}  // namespace layerwise::cuda_on_host

namespace layerwise::cuda {

using namespace cuda_on_host;

namespace {

/// What a barrier's bytes hold on the host.
uint64_t mark_of(const uint64_t* barrier) {
  return 0x6C61796572626172u ^ static_cast<uint64_t>(reinterpret_cast<uintptr_t>(barrier));
}

void require_alignment(const uint64_t* barrier, const std::string& operation) {
  require_vector_alignment(barrier, operation.c_str(), sizeof *barrier);
  if (current->context.holds(barrier)) fail_in_kernel(operation + " of a barrier that is not in shared memory");
}

SharedBarrier& barrier_at(uint64_t* barrier, const std::string& operation) {
  require_alignment(barrier, operation);
  auto& barriers = hopper_block().barriers;
  const auto found = barriers.find(reinterpret_cast<uintptr_t>(barrier));
  if (found == barriers.end()) fail_in_kernel(operation + " without barrier_init");
  if (*barrier != mark_of(barrier)) fail_in_kernel(operation + ": something else was written where the barrier is");
  return found->second;
}

Registers& registers() { return hopper_block().registers; }
unsigned& registers_of_warpgroup() { return registers().of_warpgroup[current->number / warpgroup_size]; }

void require_same_count(void* const (&operands)[warpgroup_size], const char* operation) {
  for (const void* operand : operands)
    if (*static_cast<const unsigned*>(operand) != *static_cast<const unsigned*>(operands[0]))
      fail_in_kernel(std::string(operation) + " with different counts in a warpgroup");
}

void complete_release(void* const (&operands)[warpgroup_size]) {
  require_same_count(operands, "release_registers");
  const unsigned count = *static_cast<const unsigned*>(operands[0]);
  unsigned& held = registers_of_warpgroup();
  if (count > held)
    fail_in_kernel("release_registers to " + std::to_string(count) + " of " + std::to_string(held) +
                   " registers: that is more");
  registers().unclaimed += (held - count) * warpgroup_size;
  held = count;
  release_threads(registers().waiting);
}

void complete_claim(void* const (&operands)[warpgroup_size]) {
  require_same_count(operands, "claim_registers");
  const unsigned count = *static_cast<const unsigned*>(operands[0]), held = registers_of_warpgroup();
  if (count < held)
    fail_in_kernel("claim_registers to " + std::to_string(count) + " of " + std::to_string(held) +
                   " registers: that is fewer");
}

}  // namespace

void fence_async_proxy() {
  if (current->block->async_proxy != nullptr) current->block->async_proxy->fence();
}

void barrier_init(uint64_t* barrier, int arrivals) {
  require_alignment(barrier, "barrier_init");
  if (arrivals < 1 || arrivals >= 1 << 20)
    fail_in_kernel("barrier_init for " + std::to_string(arrivals) + " arrivals: they are 1 to 1048575");
  SharedBarrier fresh;
  fresh.arrivals = fresh.missing = static_cast<unsigned>(arrivals);
  if (!hopper_block().barriers.emplace(reinterpret_cast<uintptr_t>(barrier), fresh).second)
    fail_in_kernel("barrier_init of a barrier that is there already");
  *barrier = mark_of(barrier);
  watch_shared_memory();
}

void fence_barrier_init() {}

void barrier_arrive(uint64_t* barrier) {
  SharedBarrier& at = barrier_at(barrier, "barrier_arrive");
  if (--at.missing > 0) return;
  at.missing = at.arrivals;
  at.parity ^= 1;
  release_threads(at.waiting);
}

void barrier_wait(uint64_t* barrier, unsigned parity) {
  if (parity > 1) fail_in_kernel("barrier_wait for parity " + std::to_string(parity) + ": it is 0 or 1");
  // Looks again when it goes on, as a GPU does: a thread that comes two phases late waits for another one.
  for (;;) {
    SharedBarrier& at = barrier_at(barrier, "barrier_wait");
    if (at.parity != parity) break;
    wait_for_release(at.waiting, "barrier_wait");
  }
  if (current->block->counter != nullptr) current->block->counter->waited();
}

void sync_threads(int number, int threads) {
  const auto of_block = static_cast<int>(current->block->size.x * current->block->size.y * current->block->size.z);
  if (number < 1 || number > 15) fail_in_kernel("sync_threads number " + std::to_string(number) + ": it is 1 to 15");
  if (threads < 1 || threads % static_cast<int>(warp_size) != 0 || threads > of_block)
    fail_in_kernel("sync_threads for " + std::to_string(threads) + " threads: they are whole warps of the block");
  NamedBarrier& barrier = hopper_block().named_barriers[static_cast<size_t>(number)];
  const auto expected = static_cast<unsigned>(threads);
  if (barrier.arrived > 0 && barrier.threads != expected)
    fail_in_kernel("sync_threads for " + std::to_string(threads) + " threads while others wait there for " +
                   std::to_string(barrier.threads));
  barrier.threads = expected;
  ++barrier.arrived_of_warp[current->number / warp_size];
  if (++barrier.arrived < expected) {
    wait_for_release(barrier.waiting, "sync_threads");
    return;
  }
  for (unsigned warp = 0; warp < barrier.arrived_of_warp.size(); ++warp) {
    const unsigned arrived = barrier.arrived_of_warp[warp];
    if (arrived != 0 && arrived != warp_size) fail_in_kernel("sync_threads by a part of a warp");
    if (arrived != 0 && current->block->counter != nullptr) current->block->counter->barrier(warp, warp + 1);
  }
  barrier.arrived = 0;
  barrier.arrived_of_warp.fill(0);
  release_threads(barrier.waiting);
}

void release_registers_down_to(unsigned count) { warpgroup_operation("release_registers", &count, complete_release); }

void claim_registers_up_to(unsigned count) {
  warpgroup_operation("claim_registers", &count, complete_claim);
  unsigned& held = registers_of_warpgroup();
  while (held < count) {  // the first thread for which there are enough takes them for all
    const unsigned wanted = (count - held) * warpgroup_size;
    if (wanted <= registers().unclaimed) {
      registers().unclaimed -= wanted;
      held = count;
      release_threads(registers().waiting);
    } else {
      wait_for_release(registers().waiting, "claim_registers");
    }
  }
}

}  // namespace layerwise::cuda
