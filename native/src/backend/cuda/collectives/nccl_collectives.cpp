#include "backend/cuda/collectives/nccl_collectives.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "backend/cuda/collectives/rank_sums.h"
#include "backend/cuda/runtime.h"
#include "core/error.h"

namespace layerwise::cuda {

namespace {

float* floats_of(const Tensor& tensor) {
  if (tensor.type != DataType::float32) fail(ErrorKind::internal, "GPUs add up float32 values alone");
  return tensor.as<float>();
}

}  // namespace

NcclCollectives::NcclCollectives(std::unique_ptr<Collectives> on_host, cudaStream_t stream, Arena& arena)
    : on_host_(std::move(on_host)), stream_(stream), arena_(arena), nccl_(open_nccl(), *on_host_, stream) {
  require(on_host_->reduce() == Reduce::ordered,
          "GPUs add gradients in the order of ranks; a sum by the engine is for devices cpu and reference");
}

void NcclCollectives::all_gather(const Tensor& own, const Tensor& all, const std::vector<int64_t>& rows) {
  const auto row_bytes = static_cast<int64_t>(all.bytes()) / std::accumulate(rows.begin(), rows.end(), int64_t{0});
  std::vector<int64_t> bytes;
  for (const int64_t count : rows) bytes.push_back(count * row_bytes);
  nccl_.all_gather(own.data, all.data, bytes);
}

void NcclCollectives::sum(float* values, int64_t count, double factor) {
  constexpr int64_t element = sizeof(float);
  const int64_t ranks = size();
  if (count * element <= bytes_summed_whole) {
    const ArenaTensor all = arena_.take(DataType::float32, Shape::vector(ranks * count));
    nccl_.all_gather(values, all.view().data, std::vector<int64_t>(static_cast<size_t>(ranks), count * element));
    sum_ranks(stream_, all.view().as<float>(), size(), count, factor, values);
    return;
  }
  // Every rank adds up one slice for all.
  std::vector<int64_t> parts, bytes;
  for (int64_t r = 0; r < ranks; ++r) {
    parts.push_back(count * (r + 1) / ranks - count * r / ranks);
    bytes.push_back(parts.back() * element);
  }
  sum_own(values, parts, factor);
  nccl_.all_gather(values + count * rank() / ranks, values, bytes);
}

/// This rank's part of values ← factor · its sum over ranks.
void NcclCollectives::sum_own(float* values, const std::vector<int64_t>& parts, double factor) {
  std::vector<int64_t> bytes;
  for (const int64_t part : parts) bytes.push_back(part * static_cast<int64_t>(sizeof(float)));
  const int64_t own = parts[static_cast<size_t>(rank())];
  const ArenaTensor slices = arena_.take(DataType::float32, Shape::vector(std::max<int64_t>(1, size() * own)));
  nccl_.exchange_slices(values, slices.view().data, bytes);
  if (own > 0)
    sum_ranks(stream_, slices.view().as<float>(), size(), own, factor,
              std::accumulate(parts.begin(), parts.begin() + rank(), values));
}

void NcclCollectives::sum_part(const Tensor& values, const std::vector<int64_t>& parts) {
  sum_own(floats_of(values), parts, 1);
}

void NcclCollectives::ordered_sum(const std::vector<Tensor>& values, double factor) {
  if (values.size() == 1) return sum(floats_of(values[0]), values[0].shape.elements(), factor);
  int64_t count = 0;  // one exchange for all of them
  for (const Tensor& tensor : values) count += tensor.shape.elements();
  const ArenaTensor packed = arena_.take(DataType::float32, Shape::vector(count));
  const auto for_each_place = [&](const auto& body) {
    float* place = packed.view().as<float>();
    for (const Tensor& tensor : values) {
      body(floats_of(tensor), place, tensor.bytes());
      place += tensor.shape.elements();
    }
  };
  for_each_place([&](float* tensor, float* place, size_t bytes) {
    copy_async(stream_, place, tensor, bytes, cudaMemcpyDeviceToDevice);
  });
  sum(packed.view().as<float>(), count, factor);
  for_each_place([&](float* tensor, float* place, size_t bytes) {
    copy_async(stream_, tensor, place, bytes, cudaMemcpyDeviceToDevice);
  });
}

void NcclCollectives::merge_moments(const Tensor& mean, const Tensor& variance, const std::vector<int64_t>& counts) {
  const int64_t channels = mean.shape.elements(), width = moments_width(channels), ranks = size();
  const ArenaTensor own = arena_.take(DataType::float32, Shape::vector(width));
  const ArenaTensor all = arena_.take(DataType::float32, Shape::vector(ranks * width));
  pack_moments(stream_, floats_of(mean), floats_of(variance), channels, counts[static_cast<size_t>(rank())],
               own.view().as<float>());
  nccl_.all_gather(own.view().data, all.view().data,
                   std::vector<int64_t>(static_cast<size_t>(ranks), width * static_cast<int64_t>(sizeof(float))));
  merge_rank_moments(stream_, all.view().as<float>(), size(), channels, floats_of(mean), floats_of(variance));
}

}  // namespace layerwise::cuda
