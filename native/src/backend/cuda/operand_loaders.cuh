// How tiles of the implicit GEMM's operands get from global to shared memory, each thread moving the same
// chunks of 16 bytes of every tile: those of one column of chunks, and rows that are equally far apart.
//
// A loader has fetch(k, tile), which begins with the tile whose depth starts at k, and store(tile), which
// ends it after the products of an earlier tile:
// - AsyncLoader   cp.async straight into shared memory; what is not there becomes zeros.
// - StagedLoader  into registers, through a prologue, then into shared memory; where the tensor has no
//                 aligned chunks (three input channels) element by element.
//
// A prologue makes the operand from what is stored, one channel and sample at a time:
// - Unchanged, DeviationPrologue, BatchNormPrologue.
#pragma once

#include "backend/cuda/gemm_tiles.cuh"
#include "backend/cuda/operand_sources.cuh"

namespace layerwise::cuda {

/// The operand is the tensor.
struct Unchanged {
  static constexpr bool is_identity = true, reads_second = false, by_sample = false;
  static constexpr int factors = 0;
};

// Both are affine, with the means in the constant: float32 holds a mean no more precisely than that.

/// dz of z: a · z + b, per sample and channel (N, C, 2).
struct DeviationPrologue {
  static constexpr bool is_identity = false, reads_second = false, by_sample = true;
  static constexpr int factors = 2;
  const float* coefficients;  // aligned to 16 bytes
  int channels;
  static __device__ __forceinline__ float apply(float z, float, const float* c) { return fmaf(c[0], z, c[1]); }
};

/// dy of g and y: a · g + b · y + c, per channel (C, 3).
template <class T>
struct BatchNormPrologue {
  static constexpr bool is_identity = false, reads_second = true, by_sample = false;
  static constexpr int factors = 3;
  const float* coefficients;  // aligned to 16 bytes
  const T* second;            // y
  static __device__ __forceinline__ float apply(float g, float y, const float* c) {
    return fmaf(c[0], g, fmaf(c[1], y, c[2]));
  }
};

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

template <class T, class Source, class Prologue, class Tile, int threads>
class AsyncLoader {
 public:
  static_assert(Prologue::is_identity, "cp.async changes nothing on the way");

  __device__ __forceinline__ AsyncLoader(const Source& source, const Prologue&, int start)
      : source_(source), places_(source, start) {}

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

template <class T, class Source, class Prologue, class Tile, int threads>
class StagedLoader {
 public:
  __device__ __forceinline__ StagedLoader(const Source& source, const Prologue& prologue, int start)
      : source_(source), prologue_(prologue), places_(source, start) {}

  __device__ __forceinline__ void fetch(int k, T*) {
    places_.go_to(source_, k);
    LAYERWISE_UNROLL
    for (int i = 0; i < Mine::count; ++i) {
      if (source_.vectors)
        fetch_chunk(i);
      else
        fetch_elements(i, k);
    }
  }

  __device__ __forceinline__ void store(T* tile) {
    Coefficients coefficients;
    LAYERWISE_UNROLL
    for (int i = 0; i < Mine::count; ++i) {
      Vector16 chunk = staged_[i].first;
      if constexpr (!Prologue::is_identity)
        if (staged_[i].key >= 0) chunk = changed(staged_[i], coefficients);
      store_vector(Tile::chunk(tile, Mine::row(i), Mine::column()), chunk);
    }
  }

 private:
  using Mine = Share<Tile, threads>;
  static constexpr int width = Tile::width;

  struct Staged {
    Vector16 first, second;
    int key;  // of the coefficients that are still to be applied; below 0: none
  };

  __device__ __forceinline__ int key_of(int sample, int channel) const {
    if constexpr (Prologue::is_identity) return 0;
    else if constexpr (Prologue::by_sample) return sample * prologue_.channels + channel;
    else return channel;
  }

  __device__ __forceinline__ void fetch_chunk(int i) {
    Staged& staged = staged_[i];
    staged.first = {};
    staged.key = -1;
    int64_t index = 0;
    if (!source_.locate(places_.row(i), places_.column(), index)) return;
    staged.first = load_vector(source_.data + index);
    if constexpr (Prologue::reads_second) staged.second = load_vector(prologue_.second + index);
    if constexpr (!Prologue::is_identity)
      staged.key = key_of(Source::sample(places_.row(i)), Source::channel(places_.column()));
  }

  __device__ __forceinline__ void fetch_elements(int i, int k) {
    float values[width] = {};
    for (int e = 0; e < width; ++e) {
      const typename Source::Column column = source_.column(places_.first_column(k) + e);
      int64_t index = 0;
      if (!source_.locate(places_.row(i), column, index)) continue;
      values[e] = load_element(source_.data + index);
      if constexpr (!Prologue::is_identity) {
        float second = 0;
        if constexpr (Prologue::reads_second) second = load_element(prologue_.second + index);
        const int key = key_of(Source::sample(places_.row(i)), Source::channel(column));
        values[e] = Prologue::apply(values[e], second, prologue_.coefficients + int64_t{key} * Prologue::factors);
      }
    }
    staged_[i].first = pack(values);
    staged_[i].key = -1;
  }

  struct Coefficients {
    float values[Prologue::is_identity ? 1 : width * Prologue::factors] = {};
    int key = -1;
  };

  /// The chunks of one thread mostly have the same coefficients.
  __device__ __forceinline__ Vector16 changed(const Staged& staged, Coefficients& coefficients) const {
    if (staged.key != coefficients.key) {
      coefficients.key = staged.key;
      const float* const from = prologue_.coefficients + int64_t{staged.key} * Prologue::factors;
      LAYERWISE_UNROLL
      for (int e = 0; e < width * Prologue::factors; e += 4) {
        float four[4];
        load_elements(from + e, four);
        LAYERWISE_UNROLL
        for (int j = 0; j < 4; ++j) coefficients.values[e + j] = four[j];
      }
    }
    float first[width], second[width] = {};
    unpack(staged.first, first);
    if constexpr (Prologue::reads_second) unpack(staged.second, second);
    LAYERWISE_UNROLL
    for (int e = 0; e < width; ++e)
      first[e] = Prologue::apply(first[e], second[e], coefficients.values + e * Prologue::factors);
    return pack(first);
  }

  const Source& source_;
  const Prologue& prologue_;
  Places<Source, Tile, threads> places_;
  Staged staged_[Mine::count];
};

}  // namespace layerwise::cuda
