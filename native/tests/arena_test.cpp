#include "core/arena.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <iterator>
#include <list>
#include <map>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/philox.h"

namespace layerwise::test {

namespace {

using End = Arena::End;

/// Counts what an arena allocates. Memory is owned here, so that a leak is an entry that stays.
class Memory {
 public:
  Arena::Allocate allocate() {
    return [this](size_t bytes) -> void* {
      if (bytes > limit) fail(ErrorKind::out_of_memory, "no room for ", bytes, " bytes");
      std::vector<char> storage(bytes + 64);
      char* data = storage.data() + (64 - reinterpret_cast<uintptr_t>(storage.data()) % 64) % 64;
      pieces.emplace(data, std::move(storage));
      ++allocations;
      return data;
    };
  }
  Arena::Release release() {
    return [this](void* data) { ASSERT_EQ(pieces.erase(static_cast<char*>(data)), 1u); };
  }

  std::map<char*, std::vector<char>> pieces;
  int allocations = 0;
  size_t limit = SIZE_MAX;
};

Shape bytes(int64_t count) { return Shape::vector(count); }

char* data_of(const ArenaTensor& tensor) { return tensor.view().as<char>(); }

/// Runs one step whose pieces need `total` bytes at once, so that the arena has learnt that size.
void grow(Arena& arena, int64_t total) {
  { const ArenaTensor piece = arena.take(DataType::uint8, bytes(total)); }
  const ArenaTensor again = arena.take(DataType::uint8, bytes(total));
}

}  // namespace

TEST(Arena, pieces_have_type_shape_and_alignment) {
  Memory memory;
  Arena arena(memory.allocate(), memory.release());
  const Shape shape{2, 3, 5, 7};
  for (const End end : {End::low, End::high}) {
    const ArenaTensor piece = arena.take(DataType::float32, shape, end);
    ASSERT_TRUE(piece);
    EXPECT_EQ(piece.view().type, DataType::float32);
    EXPECT_EQ(piece.view().shape, shape);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(piece.view().data) % 64, 0u);
  }
}

TEST(Arena, empty_shape_is_an_absent_tensor) {
  Memory memory;
  Arena arena(memory.allocate(), memory.release());
  EXPECT_FALSE(arena.take(DataType::float32, {0, 1, 1, 5}));
  EXPECT_EQ(memory.allocations, 0);
}

TEST(Arena, memory_is_one_slab_from_the_second_step_on) {
  Memory memory;
  Arena arena(memory.allocate(), memory.release());
  for (int step = 0; step < 5; ++step) {
    const ArenaTensor x = arena.take(DataType::uint8, bytes(1000));
    const ArenaTensor y = arena.take(DataType::uint8, bytes(3000), arena.opposite(x));
    const ArenaTensor temporary = arena.take(DataType::uint8, bytes(500));
    if (step > 0) {
      EXPECT_EQ(memory.pieces.size(), 1u);
    }
  }
  // Three pieces in the first step, one slab at the start of the second, nothing after that.
  EXPECT_EQ(memory.allocations, 4);
  EXPECT_EQ(arena.reserved_bytes(), 1024u + 3008u + 512u);
  EXPECT_EQ(arena.peak_bytes(), arena.reserved_bytes());
}

TEST(Arena, grows_when_a_later_step_needs_more) {
  Memory memory;
  Arena arena(memory.allocate(), memory.release());
  grow(arena, 1024);
  EXPECT_EQ(arena.reserved_bytes(), 1024u);
  {
    const ArenaTensor first = arena.take(DataType::uint8, bytes(1024));
    const ArenaTensor outside = arena.take(DataType::uint8, bytes(2048));
    EXPECT_EQ(memory.pieces.size(), 2u);
    EXPECT_EQ(arena.reserved_bytes(), 1024u + 2048u);
  }
  const ArenaTensor all = arena.take(DataType::uint8, bytes(1024 + 2048));
  EXPECT_EQ(memory.pieces.size(), 1u);
  EXPECT_EQ(arena.reserved_bytes(), 1024u + 2048u);
}

TEST(Arena, chain_of_blocks_needs_the_largest_block_only) {
  Memory memory;
  Arena arena(memory.allocate(), memory.release());
  const std::vector<int64_t> sizes = {640, 6400, 3200, 6400, 1280, 64};  // outputs of consecutive blocks
  for (int step = 0; step < 3; ++step) {
    ArenaTensor x = arena.take(DataType::uint8, bytes(sizes[0]));
    for (size_t i = 1; i < sizes.size(); ++i) {
      ArenaTensor output = arena.take(DataType::uint8, bytes(sizes[i]), arena.opposite(x));
      const ArenaTensor temporary = arena.take(DataType::uint8, bytes(128));
      x = std::move(output);
    }
  }
  // Two neighbouring outputs and the temporary at most, however many blocks there are.
  EXPECT_EQ(arena.reserved_bytes(), 6400u + 3200u + 128u);
  EXPECT_EQ(memory.pieces.size(), 1u);
}

TEST(Arena, takes_from_both_ends) {
  Memory memory;
  Arena arena(memory.allocate(), memory.release());
  grow(arena, 1024);
  const ArenaTensor low = arena.take(DataType::uint8, bytes(64), End::low);
  const ArenaTensor high = arena.take(DataType::uint8, bytes(64), End::high);
  EXPECT_EQ(data_of(high) - data_of(low), 1024 - 64);
  EXPECT_EQ(arena.opposite(low), End::high);
  EXPECT_EQ(arena.opposite(high), End::low);
}

TEST(Arena, a_piece_larger_than_half_the_slab_lies_on_the_end_it_was_taken_from) {
  Memory memory;
  Arena arena(memory.allocate(), memory.release());
  grow(arena, 1024);
  for (const End end : {End::low, End::high}) {
    const ArenaTensor large = arena.take(DataType::uint8, bytes(640), end);
    EXPECT_EQ(arena.opposite(large), end == End::low ? End::high : End::low);
  }
}

TEST(Arena, neighbours_merge_when_given_back_in_any_order) {
  Memory memory;
  Arena arena(memory.allocate(), memory.release());
  grow(arena, 3 * 64);
  const std::vector<std::vector<size_t>> orders = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (const std::vector<size_t>& order : orders) {
    std::vector<ArenaTensor> pieces;
    for (int i = 0; i < 3; ++i) pieces.push_back(arena.take(DataType::uint8, bytes(64)));
    for (const size_t i : order) pieces[i] = ArenaTensor();
    const ArenaTensor all = arena.take(DataType::uint8, bytes(3 * 64));
    EXPECT_EQ(memory.pieces.size(), 1u);
  }
}

TEST(Arena, moving_a_piece_gives_back_what_it_replaces) {
  Memory memory;
  Arena arena(memory.allocate(), memory.release());
  grow(arena, 128);
  ArenaTensor first = arena.take(DataType::uint8, bytes(64));
  ArenaTensor second = arena.take(DataType::uint8, bytes(64));
  const char* kept = data_of(second);
  first = std::move(second);
  EXPECT_EQ(data_of(first), kept);
  EXPECT_FALSE(second);
  const ArenaTensor third = arena.take(DataType::uint8, bytes(64));
  EXPECT_EQ(memory.pieces.size(), 1u);
}

TEST(Arena, failure_to_allocate_leaves_the_arena_usable) {
  Memory memory;
  Arena arena(memory.allocate(), memory.release());
  memory.limit = 1024;
  EXPECT_THROW(arena.take(DataType::uint8, bytes(2048)), Error);
  {
    const ArenaTensor first = arena.take(DataType::uint8, bytes(1024));
    const ArenaTensor second = arena.take(DataType::uint8, bytes(1024));
  }
  EXPECT_THROW(arena.take(DataType::uint8, bytes(64)), Error);  // no room for a slab of 2048
  memory.limit = 4096;
  EXPECT_TRUE(arena.take(DataType::uint8, bytes(64)));
}

TEST(Arena, a_trial_allocates_once_for_each_size_and_leaves_no_trace) {
  Memory memory;
  Arena arena(memory.allocate(), memory.release());
  grow(arena, 4096);
  const ArenaTensor operand = arena.take(DataType::uint8, bytes(1024));
  const uint64_t changes = arena.changes();
  const size_t reserved = arena.reserved_bytes();
  {
    const Arena::Trial trial(arena);
    const auto run = [&] {
      const ArenaTensor inside = arena.take(DataType::uint8, bytes(2048));
      const ArenaTensor workspace = arena.take(DataType::uint8, bytes(1 << 20));
      const ArenaTensor second = arena.take(DataType::uint8, bytes(1 << 20));
      EXPECT_NE(data_of(workspace), data_of(second));
    };
    run();
    const int allocations = memory.allocations;
    for (int i = 0; i < 5; ++i) run();
    EXPECT_EQ(memory.allocations, allocations) << "nothing is allocated when work is repeated";
    EXPECT_EQ(arena.reserved_bytes(), reserved + (2 << 20));
  }
  EXPECT_EQ(arena.changes(), changes);
  EXPECT_EQ(arena.reserved_bytes(), reserved);
  EXPECT_EQ(memory.pieces.size(), 1u) << "only the slab is left";
}

TEST(Arena, after_a_trial_the_slab_grows_by_what_is_taken_in_earnest) {
  Memory memory;
  Arena arena(memory.allocate(), memory.release());
  grow(arena, 4096);
  {
    const ArenaTensor operand = arena.take(DataType::uint8, bytes(4096));
    {
      const Arena::Trial trial(arena);
      const ArenaTensor workspace = arena.take(DataType::uint8, bytes(1 << 20));
    }
    const ArenaTensor chosen = arena.take(DataType::uint8, bytes(8192));
  }
  const ArenaTensor next = arena.take(DataType::uint8, bytes(64));
  EXPECT_EQ(arena.reserved_bytes(), 4096u + 8192u);
}

TEST(Arena, live_pieces_never_overlap) {
  Memory memory;
  {
    Arena arena(memory.allocate(), memory.release());
    struct Live {
      ArenaTensor piece;
      char pattern;
    };
    const RandomKey key{7, RandomPurpose::initialisation, 0, 0};
    uint64_t drawn = 0;
    const auto below = [&](uint32_t range) { return random_below(random_word(key, drawn++), range); };
    for (int step = 0; step < 60; ++step) {
      std::list<Live> live;
      for (int turn = 0; turn < 80; ++turn) {
        if (!live.empty() && below(5) < 2) {
          auto victim = live.begin();
          std::advance(victim, below(static_cast<uint32_t>(live.size())));
          // Whatever was written to other pieces since, this one must hold what was written to it.
          const size_t count = victim->piece.view().bytes();
          const std::vector<char> expected(count, victim->pattern);
          ASSERT_EQ(std::memcmp(data_of(victim->piece), expected.data(), count), 0);
          live.erase(victim);
        } else {
          const char pattern = static_cast<char>(below(256));
          const End end = below(2) == 0 ? End::low : End::high;
          live.push_back({arena.take(DataType::uint8, bytes(1 + below(2000)), end), pattern});
          const Tensor& view = live.back().piece.view();
          std::memset(view.data, pattern, view.bytes());
        }
      }
      for (const Live& one : live) {
        for (size_t i = 0; i < one.piece.view().bytes(); ++i) ASSERT_EQ(data_of(one.piece)[i], one.pattern);
      }
      EXPECT_LE(arena.reserved_bytes(), arena.peak_bytes());
    }
  }
  EXPECT_TRUE(memory.pieces.empty());
}

}  // namespace layerwise::test
