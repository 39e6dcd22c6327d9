#include "cuda_on_host/counting.h"

#include <algorithm>
#include <iterator>
#include <mutex>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "cuda_on_host/runtime_state.h"

namespace layerwise::cuda_on_host {

namespace {

constexpr uintptr_t sector_bytes = 32, word_bytes = 4, banks = 32;
constexpr int64_t most_work = 2'000'000;  // of the blocks of a launch, as BlockCounter::work() measures it
constexpr int64_t fewest_blocks = 4;

struct Counting {
  bool instrumented = false;
  bool on = false;
  int64_t most_blocks = 0;
  std::string label;
  std::vector<LaunchCounts> launches;
  std::vector<std::pair<uintptr_t, uintptr_t>> allocations;  // while a launch is counted
};

Counting& counting() {
  static Counting one;
  return one;
}

/// Where the allocation of device memory begins that an address lies in; 0 where it lies in none.
uintptr_t allocation_of(uintptr_t address) {
  const auto& all = counting().allocations;
  const auto after = std::upper_bound(all.begin(), all.end(), std::pair(address, UINTPTR_MAX));
  return after == all.begin() || std::prev(after)->second <= address ? 0 : std::prev(after)->first;
}

}  // namespace

// ---- sums -----------------------------------------------------------------------------------------

void Requests::add(const Requests& other) {
  requests += other.requests;
  parts += other.parts;
  bytes += other.bytes;
}

void Counts::add(const Counts& other) {
  mma_bf16 += other.mma_bf16;
  mma_tf32 += other.mma_tf32;
  wgmma += other.wgmma;
  shuffles += other.shuffles;
  barriers += other.barriers;
  shared_loads.add(other.shared_loads);
  shared_stores.add(other.shared_stores);
  matrix_loads.add(other.matrix_loads);
  product_loads.add(other.product_loads);
  copies_read.add(other.copies_read);
  copies_stored.add(other.copies_stored);
  global_loads.add(other.global_loads);
  global_stores.add(other.global_stores);
}

void Footprint::touch(const void* site, uintptr_t allocation, uintptr_t begin, uintptr_t end) {
  const auto [range, is_new] = ranges_.try_emplace({site, allocation}, Range{begin, end});
  if (is_new) return;
  range->second.begin = std::min(range->second.begin, begin);
  range->second.end = std::max(range->second.end, end);
}

void Footprint::merge(const Footprint& other) {
  for (const auto& [place, range] : other.ranges_) touch(place.first, place.second, range.begin, range.end);
}

int64_t Footprint::bytes() const {
  std::vector<Range> sorted;
  for (const auto& place : ranges_) sorted.push_back(place.second);
  std::sort(sorted.begin(), sorted.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  uintptr_t bytes = 0, reached = 0;
  for (const Range& range : sorted) {
    if (range.end > reached) bytes += range.end - std::max(range.begin, reached);
    reached = std::max(reached, range.end);
  }
  return static_cast<int64_t>(bytes);
}

// ---- one block ------------------------------------------------------------------------------------

namespace {

/// The cycles in which shared memory serves the words that some threads want of it at once: in each it gives one word of
/// every bank, to all threads that want it.
int64_t wavefronts(std::vector<uintptr_t>& words) {
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  std::array<int, banks> of_bank{};
  for (const uintptr_t word : words) ++of_bank[word % banks];
  return *std::max_element(of_bank.begin(), of_bank.end());
}

void add_words(uintptr_t address, uintptr_t bytes, std::vector<uintptr_t>& words) {
  for (uintptr_t word = address / word_bytes; word <= (address + bytes - 1) / word_bytes; ++word) words.push_back(word);
}

/// What each eight pieces of 16 bytes, by number, take: there are as many pieces in all banks together.
int64_t wavefronts_of_core_matrices(const uint16_t* pieces, size_t count) {
  int64_t sum = 0;
  for (size_t first = 0; first < count; first += 8) {
    std::array<int, 8> of_banks{};
    for (size_t i = first; i < first + 8; ++i) ++of_banks[pieces[i] % 8];
    sum += *std::max_element(of_banks.begin(), of_banks.end());
  }
  return sum;
}

}  // namespace

void BlockCounter::begin(const Block& block, size_t shared_bytes) {
  shared_.clear();
  add_shared(block.dynamic_shared, shared_bytes);
  used_warps_ = (block.size.x * block.size.y * block.size.z + warp_size - 1) / warp_size;
  for (unsigned w = 0; w < used_warps_; ++w) {
    warps_[w].main = warps_[w].tail = warps_[w].recent = {};
    warps_[w].multiplied = warps_[w].is_in_tail = false;
    warps_[w].finished_tiles = 0;
    warps_[w].entries.clear();
  }
  waits_.fill(0);
  read_ = written_ = {};
  work_ = 0;
}

void BlockCounter::add_shared(const void* begin, size_t bytes) {
  const auto address = reinterpret_cast<uintptr_t>(begin);
  shared_.emplace_back(address, address + bytes);
}

void BlockCounter::note(Access kind, const void* address, size_t bytes, const void* site) {
  auto at = reinterpret_cast<uintptr_t>(address);
  uintptr_t allocation = 0;
  const bool is_shared = std::any_of(shared_.begin(), shared_.end(), [at](const std::pair<uintptr_t, uintptr_t>& range) {
    return at >= range.first && at < range.second;
  });
  if (!is_shared) {
    if (current->context.holds(address)) return;  // what a GPU has in registers
    allocation = allocation_of(at);
    if (allocation == 0) return;  // arguments of the kernel
    Footprint& footprint = kind == Access::load || kind == Access::copy_read ? read_ : written_;
    footprint.touch(site, allocation, at, at + bytes);
  }
  std::vector<Entry>& entries = warps_[current->number / warp_size].entries;
  for (size_t done = 0; done < bytes;) {  // no request is for more than 16 bytes, or for other than a power of two
    size_t part = 16;
    while (part > bytes - done) part /= 2;
    entries.push_back({site, at + done, waits_[current->number], 0, static_cast<uint8_t>(current->lane),
                       static_cast<uint8_t>(part), kind, is_shared});
    done += part;
  }
  ++work_;
}

Counts& BlockCounter::of_warp() { return warps_[current->number / warp_size].recent; }

void BlockCounter::load_matrix(const void* const (&rows)[warp_size]) {
  Requests& loads = of_warp().matrix_loads;
  ++loads.requests;
  loads.bytes += 16 * warp_size;
  std::vector<uintptr_t> words;
  for (unsigned first = 0; first < warp_size; first += 8) {  // a matrix of 8 rows at a time
    words.clear();
    for (unsigned row = first; row < first + 8; ++row) add_words(reinterpret_cast<uintptr_t>(rows[row]), 16, words);
    loads.parts += wavefronts(words);
  }
  ++work_;
}

void BlockCounter::multiply(bool is_bf16) {
  WarpCounts& warp = warps_[current->number / warp_size];
  close_recent(warp);
  warp.multiplied = true;
  ++(is_bf16 ? warp.main.mma_bf16 : warp.main.mma_tf32);
  work_ += 16;
}

void BlockCounter::close_recent(WarpCounts& warp) const {
  (warp.is_in_tail ? warp.tail : warp.main).add(warp.recent);
  warp.recent = {};
}

void BlockCounter::multiply_by_warpgroup(unsigned warp, const uint16_t* a, size_t a_pieces, const uint16_t* b,
                                         size_t b_pieces) {
  constexpr unsigned warps = warpgroup_size / warp_size;
  const unsigned first = warp / warps * warps;
  for (unsigned w = first; w < first + warps; ++w) {
    close_recent(warps_[w]);
    warps_[w].is_in_tail = false;
  }
  Counts& counts = warps_[first].recent;  // those of the others would count them again
  ++counts.wgmma;
  counts.product_loads.requests += 2;
  counts.product_loads.bytes += static_cast<int64_t>(a_pieces + b_pieces) * 16;
  counts.product_loads.parts += wavefronts_of_core_matrices(a, a_pieces) + wavefronts_of_core_matrices(b, b_pieces);
  work_ += warpgroup_size;
}

void BlockCounter::finish_products(unsigned warp) {
  constexpr unsigned warps = warpgroup_size / warp_size;
  const unsigned first = warp / warps * warps;
  for (unsigned w = first; w < first + warps; ++w) {
    close_recent(warps_[w]);
    warps_[w].is_in_tail = true;
    ++warps_[w].finished_tiles;
  }
}

void BlockCounter::barrier(unsigned first, unsigned end) {
  for (unsigned warp = first; warp < end; ++warp) {
    synchronize(warp);
    ++warps_[warp].recent.barriers;
  }
}

void BlockCounter::synchronize(unsigned warp) {
  std::vector<Entry>& entries = warps_[warp].entries;
  std::fill_n(waits_.begin() + warp * warp_size, warp_size, 0);
  if (entries.empty()) return;
  // Stable: a thread's accesses from one place stay in order, and get numbers.
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.waits, a.site, a.kind, a.lane) < std::tie(b.waits, b.site, b.kind, b.lane);
  });
  for (size_t i = 1; i < entries.size(); ++i) {
    const Entry& last = entries[i - 1];
    Entry& entry = entries[i];
    const bool follows = entry.waits == last.waits && entry.site == last.site && entry.kind == last.kind &&
                         entry.lane == last.lane;
    entry.occurrence = follows ? last.occurrence + 1 : 0;
  }
  const auto key = [](const Entry& entry) {
    return std::tie(entry.waits, entry.site, entry.kind, entry.is_shared, entry.occurrence);
  };
  std::stable_sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) { return key(a) < key(b); });
  for (Group begin = entries.cbegin(); begin != entries.cend();) {
    const Group end = std::find_if(begin, entries.cend(), [&](const Entry& entry) { return key(entry) != key(*begin); });
    add_request(warps_[warp].recent, begin, end);
    begin = end;
  }
  entries.clear();
}

/// What a warp's threads access from one place at one time.
void BlockCounter::add_request(Counts& counts, Group begin, Group end) {
  const auto requests = [&]() -> Requests& {
    switch (begin->kind) {
      case Access::load: return begin->is_shared ? counts.shared_loads : counts.global_loads;
      case Access::store: return begin->is_shared ? counts.shared_stores : counts.global_stores;
      case Access::copy_read: return counts.copies_read;
      case Access::copy_store: return counts.copies_stored;
    }
    return counts.global_loads;
  };
  Requests& to = requests();
  ++to.requests;
  uintptr_t widest = word_bytes;
  for (Group entry = begin; entry != end; ++entry) {
    to.bytes += entry->bytes;
    widest = std::max<uintptr_t>(widest, entry->bytes);
  }
  std::vector<uintptr_t> touched;
  if (!begin->is_shared) {
    for (Group entry = begin; entry != end; ++entry)
      for (uintptr_t sector = entry->address / sector_bytes; sector <= (entry->address + entry->bytes - 1) / sector_bytes;
           ++sector)
        touched.push_back(sector);
    std::sort(touched.begin(), touched.end());
    to.parts += std::unique(touched.begin(), touched.end()) - touched.begin();
    return;
  }
  // As many threads at a time as want 128 bytes together: half a warp where each wants 8, a quarter where each wants 16.
  const unsigned at_a_time = warp_size * word_bytes / static_cast<unsigned>(widest);
  for (unsigned first = 0; first < warp_size; first += at_a_time) {
    touched.clear();
    for (Group entry = begin; entry != end; ++entry)
      if (entry->lane / at_a_time == first / at_a_time) add_words(entry->address, entry->bytes, touched);
    if (!touched.empty()) to.parts += wavefronts(touched);
  }
}

void BlockCounter::end(LaunchCounts& to) {
  bool multiplied = false;
  int finished_tiles = 0;
  for (unsigned w = 0; w < used_warps_; ++w) {
    synchronize(w);
    multiplied = multiplied || warps_[w].multiplied;
    finished_tiles = std::max(finished_tiles, warps_[w].finished_tiles);
  }
  for (unsigned w = 0; w < used_warps_; ++w) {
    to.main.add(warps_[w].main);
    to.tail.add(warps_[w].tail);
    (multiplied || warps_[w].is_in_tail ? to.tail : to.main).add(warps_[w].recent);
  }
  to.finished_tiles += finished_tiles;
  to.most_tiles = std::max(to.most_tiles, finished_tiles);
  to.read.merge(read_);
  to.written.merge(written_);
  ++to.counted_blocks;
}

// ---- launches -------------------------------------------------------------------------------------

void count_launches(int64_t most_blocks) {
  if (!counting().instrumented) throw std::runtime_error("no kernel of this program was compiled for counting");
  counting().on = true;
  counting().most_blocks = most_blocks;
}

std::vector<LaunchCounts> end_counting() {
  counting().on = false;
  return std::exchange(counting().launches, {});
}

void kernels_are_instrumented() { counting().instrumented = true; }

void set_label(const std::string& label) { counting().label = label; }
const std::string& label() { return counting().label; }
bool is_counting() { return counting().on; }

void count_grid(const Grid& grid) {
  LaunchCounts launch;
  launch.label = grid.label;
  launch.kernel = grid.symbol;
  launch.blocks = int64_t{grid.grid.x} * grid.grid.y * grid.grid.z;
  launch.threads = static_cast<int>(grid.block.x * grid.block.y * grid.block.z);
  launch.shared_bytes = grid.shared_bytes;
  counting().allocations = device_allocations();
  const int64_t most = std::min(counting().most_blocks, launch.blocks);
  if (most > 0) {
    BlockCounter first;
    run_block(grid, 0, &first);
    first.end(launch);
    const int64_t affordable = std::max(fewest_blocks, most_work / std::max<int64_t>(first.work(), 1));
    const int64_t count = std::min(most, affordable);
    std::mutex mutex;
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t i = 1; i < count; ++i) {
      BlockCounter counter;
      run_block(grid, static_cast<uint64_t>(i * (launch.blocks - 1) / (count - 1)), &counter);
      const std::lock_guard<std::mutex> lock(mutex);
      counter.end(launch);
    }
  }
  if (launch.finished_tiles > 0)
    launch.tiles = static_cast<double>(launch.finished_tiles) / static_cast<double>(launch.counted_blocks);
  counting().launches.push_back(std::move(launch));
}

void count_transfer(const char* kind, const std::string& of, size_t bytes) {
  LaunchCounts launch;
  launch.label = of;
  launch.kernel = kind;
  launch.copied_bytes = static_cast<int64_t>(bytes);
  counting().launches.push_back(std::move(launch));
}

}  // namespace layerwise::cuda_on_host
