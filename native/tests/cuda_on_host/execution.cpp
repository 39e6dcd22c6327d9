#include "cuda_on_host/execution.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <numeric>
#include <sstream>
#include <utility>

#include "cuda_on_host/counting.h"
#include "cuda_on_host/guarded_buffer.h"
#include "cuda_on_host/hopper_block.h"

namespace layerwise::cuda_on_host {

namespace {

/// Runs blocks on one thread of the operating system.
class BlockRunner {
 public:
  BlockRunner() { home_.context.adopt_own_stack(); }

  void run(const Grid& grid, uint64_t block_number, BlockCounter* counter);
  void block_barrier(const char* file, int line);
  template <unsigned members>
  void gather(Gathering<members>& gathering, const char* name, void* operand,
              void (*complete)(void* const (&operands)[members]));
  void wait(WaitingList& list, const char* where);
  void release(WaitingList& list);
  HopperBlock& hopper_block();
  void watch_shared_memory();
  std::string name_of_block() const;

 private:
  static void stack_entry();
  void run_threads();
  void begin_thread(Thread& thread, unsigned number);
  void end_thread(Thread& thread);
  void release_barrier();
  Thread& next_to_run();
  Thread& idle_thread();
  void go_to(Thread& next);
  std::string waiting_threads() const;

  const Grid* grid_ = nullptr;
  Block block_;
  unsigned threads_ = 0, started_ = 0, live_ = 0, arrived_ = 0;
  bool from_last_to_first_ = false;
  const char* barrier_file_ = nullptr;
  int barrier_line_ = 0;
  WaitingList at_barrier_, ready_;
  Warp warps_[most_threads_per_block / warp_size];
  Warpgroup warpgroups_[most_threads_per_block / warpgroup_size];
  std::unique_ptr<HopperBlock> hopper_;        // made for the first block that needs it
  bool uses_hopper_ = false;                   // this block does
  std::vector<std::unique_ptr<Thread>> pool_;  // stacks; a thread that ended leaves its stack to the next one
  std::vector<Thread*> idle_;
  Thread home_;                                // the stack that run() was called on
  std::exception_ptr failure_;
  GuardedBuffer dynamic_shared_{most_shared_bytes};
};

BlockRunner& runner() {
  static thread_local BlockRunner one;
  return one;
}

std::string coordinates(const uint3& index) {
  std::ostringstream text;
  text << "(" << index.x << ", " << index.y << ", " << index.z << ")";
  return text.str();
}

}  // namespace

void BlockRunner::run(const Grid& grid, uint64_t block_number, BlockCounter* counter) {
  grid_ = &grid;
  const auto number = static_cast<uint64_t>(block_number);
  block_.index = {static_cast<unsigned>(number % grid.grid.x),
                  static_cast<unsigned>(number / grid.grid.x % grid.grid.y),
                  static_cast<unsigned>(number / grid.grid.x / grid.grid.y)};
  block_.size = grid.block;
  block_.grid = grid.grid;
  block_.kernel = grid.kernel;
  ++block_.serial;
  block_.dynamic_shared = dynamic_shared_.reset(grid.shared_bytes);
  block_.dynamic_shared_bytes = grid.shared_bytes;
  block_.counter = counter;
  block_.async_proxy = nullptr;
  uses_hopper_ = false;
  if (counter != nullptr) counter->begin(block_, grid.shared_bytes);
  threads_ = grid.block.x * grid.block.y * grid.block.z;
  live_ = threads_;
  started_ = arrived_ = 0;
  from_last_to_first_ = block_number % 2 == 1;
  at_barrier_ = ready_ = {};
  for (unsigned w = 0; w * warp_size < threads_; ++w) warps_[w].begin(std::min(warp_size, threads_ - w * warp_size));
  for (unsigned g = 0; g * warpgroup_size < threads_; ++g)
    warpgroups_[g].begin(std::min(warpgroup_size, threads_ - g * warpgroup_size));

  current = &home_;
  go_to(idle_thread());
  current = nullptr;

  if (failure_ == nullptr && !dynamic_shared_.is_intact())
    failure_ = std::make_exception_ptr(KernelFailure(name_of_block() + ": dynamic shared memory was written past the " +
                                                     std::to_string(grid.shared_bytes) + " bytes that were asked for"));
  if (failure_ != nullptr) {
    idle_.clear();
    for (const auto& thread : pool_) {
      thread->context.forget();
      thread->waits_in = nullptr;
      idle_.push_back(thread.get());
    }
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

void BlockRunner::stack_entry() {
  Context::entered();
  runner().run_threads();
}

/// What a stack does for ever: runs threads that have not started, then leaves the turn to others.
void BlockRunner::run_threads() {
  for (;;) {
    Thread& self = *current;
    bool failed = false;
    try {
      while (started_ < threads_) {
        begin_thread(self, from_last_to_first_ ? threads_ - 1 - started_ : started_);
        ++started_;
        grid_->body();
        end_thread(self);
      }
    } catch (...) {
      failure_ = std::current_exception();
      failed = true;
    }
    if (failed) {
      go_to(home_);  // for good: the stack is forgotten there
    }
    idle_.push_back(&self);
    try {
      if (live_ == 0)
        current = &home_;
      else
        current = &next_to_run();
    } catch (...) {
      failure_ = std::current_exception();
      current = &home_;
    }
    Context::switch_between(self.context, current->context);
  }
}

void BlockRunner::begin_thread(Thread& thread, unsigned number) {
  const dim3& size = block_.size;
  thread.index = {number, 0, 0};
  if (size.x != threads_) thread.index = {number % size.x, number / size.x % size.y, number / size.x / size.y};
  thread.block = &block_;
  thread.number = number;
  thread.lane = number % warp_size;
  thread.warp = &warps_[number / warp_size];
  thread.warpgroup = &warpgroups_[number / warpgroup_size];
  thread.copies.clear();
  thread.has_begun = thread.fenced_for_products = false;
}

void BlockRunner::end_thread(Thread& thread) {
  Warp& warp = *thread.warp;
  Warpgroup& warpgroup = *thread.warpgroup;
  ++warp.exited;
  ++warpgroup.exited;
  if (!thread.has_begun) fail_in_kernel("the kernel does not begin with begin_kernel()");
  if (warp.arrived > 0)
    fail_in_kernel(std::string("the thread ended while others of its warp wait in ") + warp.operation);
  if (warpgroup.arrived > 0)
    fail_in_kernel(std::string("the thread ended while others of its warpgroup wait in ") + warpgroup.operation);
  if (uses_hopper_) hopper_->products[thread.number / warpgroup_size].require_none();
  --live_;
  if (arrived_ > 0 && arrived_ == live_) release_barrier();
}

void BlockRunner::block_barrier(const char* file, int line) {
  if (arrived_ == 0) {
    barrier_file_ = file;
    barrier_line_ = line;
  } else if (barrier_line_ != line || std::strcmp(barrier_file_, file) != 0) {
    fail_in_kernel("__syncthreads in line " + std::to_string(line) + " while others wait at the one in line " +
                   std::to_string(barrier_line_));
  }
  if (++arrived_ == live_)
    release_barrier();
  else
    wait(at_barrier_, "__syncthreads");
}

void BlockRunner::release_barrier() {
  arrived_ = 0;
  if (block_.counter != nullptr) block_.counter->barrier(0, (threads_ + warp_size - 1) / warp_size);
  release(at_barrier_);
}

template <unsigned members>
void BlockRunner::gather(Gathering<members>& gathering, const char* name, void* operand,
                         void (*complete)(void* const (&operands)[members])) {
  const char* const group = members == warp_size ? "warp" : "warpgroup";
  if (gathering.present < members)
    fail_in_kernel(std::string(name) + " in a " + group + " of fewer than " + std::to_string(members) + " threads");
  if (gathering.exited > 0) fail_in_kernel(std::string(name) + " after other threads of the " + group + " have ended");
  if (gathering.arrived > 0 && gathering.operation != name && std::strcmp(gathering.operation, name) != 0)
    fail_in_kernel(std::string(name) + " while others of the " + group + " wait in " + gathering.operation);
  gathering.operation = name;
  gathering.operands[current->number % members] = operand;
  if (++gathering.arrived == members) {
    gathering.arrived = 0;
    if (block_.counter != nullptr) {
      const unsigned first = current->number / members * members / warp_size;
      for (unsigned warp = first; warp < first + members / warp_size; ++warp) block_.counter->synchronize(warp);
    }
    complete(gathering.operands);
    release(gathering.waiting);
  } else {
    wait(gathering.waiting, name);
  }
}

void BlockRunner::wait(WaitingList& list, const char* where) {
  Thread& self = *current;
  self.next = list.first;
  list.first = &self;
  if (list.last == nullptr) list.last = &self;
  self.waits_in = where;
  go_to(next_to_run());
  self.waits_in = nullptr;
}

void BlockRunner::release(WaitingList& list) {
  if (list.first == nullptr) return;
  if (ready_.first == nullptr)
    ready_.first = list.first;
  else
    ready_.last->next = list.first;
  ready_.last = list.last;
  list = {};
}

Thread& BlockRunner::next_to_run() {
  if (ready_.first != nullptr) {
    Thread& next = *ready_.first;
    ready_.first = next.next;
    if (ready_.first == nullptr) ready_.last = nullptr;
    next.next = nullptr;
    return next;
  }
  if (started_ < threads_) return idle_thread();
  throw KernelFailure(name_of_block() + ": no thread can go on: " + waiting_threads());
}

Thread& BlockRunner::idle_thread() {
  if (idle_.empty()) {
    pool_.push_back(std::make_unique<Thread>());
    idle_.push_back(pool_.back().get());
  }
  Thread& thread = *idle_.back();
  idle_.pop_back();
  if (!thread.context.is_prepared()) thread.context.prepare(stack_entry, static_cast<unsigned>(pool_.size()));
  return thread;
}

void BlockRunner::go_to(Thread& next) {
  Thread& self = *current;
  current = &next;
  Context::switch_between(self.context, next.context);
}

HopperBlock& BlockRunner::hopper_block() {
  if (hopper_ == nullptr) hopper_ = std::make_unique<HopperBlock>();
  if (!uses_hopper_) hopper_->begin(threads_);
  uses_hopper_ = true;
  return *hopper_;
}

void BlockRunner::watch_shared_memory() {
  HopperBlock& hopper = hopper_block();
  if (block_.async_proxy == nullptr) hopper.async_proxy.begin(block_.dynamic_shared, block_.dynamic_shared_bytes);
  block_.async_proxy = &hopper.async_proxy;
}

std::string BlockRunner::name_of_block() const {
  return std::string("kernel ") + block_.kernel + ", block " + coordinates(block_.index);
}

/// "7 threads wait in __syncthreads (0, 1, 2, …), 1 in a shuffle (7)".
std::string BlockRunner::waiting_threads() const {
  std::map<std::string, std::vector<unsigned>> where;
  for (const auto& thread : pool_)
    if (thread->waits_in != nullptr) where[thread->waits_in].push_back(thread->number);
  std::ostringstream text;
  for (auto& [operation, numbers] : where) {
    std::sort(numbers.begin(), numbers.end());
    text << (text.tellp() > 0 ? ", " : "") << numbers.size() << " wait in " << operation << " (threads";
    for (size_t i = 0; i < numbers.size() && i < 8; ++i) text << " " << numbers[i];
    text << (numbers.size() > 8 ? " …)" : ")");
  }
  return text.str();
}

void fail_in_kernel(const std::string& what) {
  throw KernelFailure(runner().name_of_block() + ", thread " + coordinates(current->index) + ": " + what);
}

void block_barrier(const char* file, int line) { runner().block_barrier(file, line); }

void warp_operation(const char* name, void* operand, void (*complete)(void* const (&operands)[warp_size])) {
  runner().gather(*current->warp, name, operand, complete);
}

void warpgroup_operation(const char* name, void* operand, void (*complete)(void* const (&operands)[warpgroup_size])) {
  runner().gather(*current->warpgroup, name, operand, complete);
}

void wait_for_release(WaitingList& list, const char* where) { runner().wait(list, where); }
void release_threads(WaitingList& list) { runner().release(list); }
HopperBlock& hopper_block() { return runner().hopper_block(); }
void watch_shared_memory() { runner().watch_shared_memory(); }

void run_block(const Grid& grid, uint64_t number, BlockCounter* counter) { runner().run(grid, number, counter); }

void run_grid(const Grid& grid) {
  const uint64_t blocks = uint64_t{grid.grid.x} * grid.grid.y * grid.grid.z;
  // Block i is number (first + i · stride) mod blocks, a permutation as the stride has no factor in common.
  uint64_t stride = blocks * 5 / 8 + 1;
  while (std::gcd(stride, blocks) != 1) ++stride;
  const uint64_t first = blocks / 3;
  std::exception_ptr failure;
#pragma omp parallel for schedule(dynamic, 1) if (blocks > 1)
  for (uint64_t i = 0; i < blocks; ++i) {
    try {
      run_block(grid, (first + i * stride) % blocks, nullptr);
    } catch (...) {
#pragma omp critical(layerwise_cuda_on_host)
      if (failure == nullptr) failure = std::current_exception();
    }
  }
  if (failure != nullptr) std::rethrow_exception(failure);
}

}  // namespace layerwise::cuda_on_host
