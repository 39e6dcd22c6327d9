// How tiles of the implicit GEMM's operands get from global to shared memory, each thread moving the same
// chunks of 16 bytes of every tile: those of one column of chunks, and rows that are equally far apart.
//
// A loader has fetch(k, tile), which begins with the tile whose depth starts at k, and store(tile), which
// ends it after the products of an earlier tile:
// - AsyncLoader    cp.async straight into shared memory; what is not there becomes zeros. The operand has aligned
//                  chunks of 16 bytes.
// - ElementLoader  element by element into registers, then into shared memory: for an operand without such chunks, as
//                  an image of three channels is. A kernel has one or the other, as the operand asks for: together they
//                  would take the registers of both.
#pragma once

#include "backend/cuda/gemm_tiles.cuh"
#include "backend/cuda/operand_sources.cuh"

namespace layerwise::cuda {

/// Which chunks of a tile a thread moves.
template <class Tile, int threads>
struct Share {
  static constexpr int count = Tile::rows * Tile::chunks / threads;
  static_assert(threads % Tile::chunks == 0 && count * threads == Tile::rows * Tile::chunks,
                "every thread moves as many chunks, of one column");
  static __device__ __forceinline__ int column() { return static_cast<int>(threadIdx.x) % Tile::chunks; }
  static __device__ __forceinline__ int row(int i) {
    return static_cast<int>(threadIdx.x) / Tile::chunks + i * (threads / Tile::chunks);
  }
};

/// The rows and columns of a source that a thread's chunks of one tile are in. The direction that is the
/// same for all tiles is worked out once.
template <class Source, class Tile, int threads>
class Places {
 public:
  using Row = typename Source::Row;
  using Column = typename Source::Column;
  using Mine = Share<Tile, threads>;

  /// `start`: of the operand's extent, the same for all tiles.
  __device__ __forceinline__ Places(const Source& source, int start) : start_(start) {
    if constexpr (Tile::inner == Inner::depth) {
      LAYERWISE_UNROLL
      for (int i = 0; i < Mine::count; ++i) rows_[i] = source.row(start + Mine::row(i));
    } else {
      column_ = source.column(first_column(0));
    }
  }

  __device__ __forceinline__ void go_to(const Source& source, int k) {
    if constexpr (Tile::inner == Inner::depth) {
      column_ = source.column(first_column(k));
    } else {
      LAYERWISE_UNROLL
      for (int i = 0; i < Mine::count; ++i) rows_[i] = source.row(k + Mine::row(i));
    }
  }

  __device__ __forceinline__ int first_column(int k) const {
    return (Tile::inner == Inner::depth ? k : start_) + Mine::column() * Tile::width;
  }
  __device__ __forceinline__ const Row& row(int i) const { return rows_[i]; }
  __device__ __forceinline__ const Column& column() const { return column_; }

 private:
  int start_;
  Row rows_[Mine::count];
  Column column_;
};

template <class T, class Source, class Tile, int threads>
class AsyncLoader {
 public:
  __device__ __forceinline__ AsyncLoader(const Source& source, int start) : source_(source), places_(source, start) {}

  __device__ __forceinline__ void fetch(int k, T* tile) {
    using Mine = Share<Tile, threads>;
    places_.go_to(source_, k);
    LAYERWISE_UNROLL
    for (int i = 0; i < Mine::count; ++i) {
      int64_t index = 0;
      const bool there = source_.locate(places_.row(i), places_.column(), index);
      copy_async_16(Tile::chunk(tile, Mine::row(i), Mine::column()), source_.data + (there ? index : 0), there);
    }
  }
  __device__ __forceinline__ void store(T*) {}

 private:
  const Source& source_;
  Places<Source, Tile, threads> places_;
};

template <class T, class Source, class Tile, int threads>
class ElementLoader {
 public:
  __device__ __forceinline__ ElementLoader(const Source& source, int start) : source_(source), places_(source, start) {}

  __device__ __forceinline__ void fetch(int k, T*) {
    places_.go_to(source_, k);
    LAYERWISE_UNROLL
    for (int i = 0; i < Mine::count; ++i) {
      float values[Tile::width] = {};
      for (int e = 0; e < Tile::width; ++e) {
        int64_t index = 0;
        if (source_.locate(places_.row(i), source_.column(places_.first_column(k) + e), index))
          values[e] = load_element(source_.data + index);
      }
      staged_[i] = pack(values);
    }
  }

  __device__ __forceinline__ void store(T* tile) {
    LAYERWISE_UNROLL
    for (int i = 0; i < Mine::count; ++i)
      store_vector(Tile::chunk(tile, Mine::row(i), Mine::column()), staged_[i]);
  }

 private:
  using Mine = Share<Tile, threads>;

  const Source& source_;
  Places<Source, Tile, threads> places_;
  Vector16 staged_[Mine::count];
};

}  // namespace layerwise::cuda
